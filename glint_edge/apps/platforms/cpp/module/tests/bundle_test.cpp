// What is not the bundle that was exported is refused, in one line.

#include "bundle.h"

#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "check.h"
#include "manifest.h"
#include "program.h"
#include "sha256.h"

using glint_edge::Json;
using glint_edge::Recommender;

namespace {

namespace fs = std::filesystem;

// A copy of a bundle, to be damaged; gone with the object.
class Copy {
 public:
  explicit Copy(const fs::path& bundle) {
    const std::string name = "glint edge – tést " + std::to_string(std::random_device()());
    root_ = fs::temp_directory_path() / name;
    fs::create_directory(root_);
    fs::copy(bundle, folder());
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() { fs::remove_all(root_); }

  fs::path folder() const { return root_ / "copy.glint"; }
  fs::path file(const std::string& name) const { return folder() / name; }

  std::string read(const std::string& name) const {
    std::ifstream stream(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
  }

  void flip(const std::string& name, std::size_t place) const {
    std::string text = read(name);
    text.at(place) = static_cast<char>(text[place] ^ 1);
    write(name, text);
  }

  // Replaces a part of the manifest, which must be there.
  void edit(const std::string& from, const std::string& to) const {
    std::string text = read("manifest.json");
    write("manifest.json", text.replace(text.find(from), from.size(), to));
  }

  // The same of a bundle that is no part of another, with a digest that fits: as another exporter
  // would write it.
  void forge(const std::string& from, const std::string& to) const {
    edit(from, to);
    const std::string text = read("manifest.json"), part = ",\n \"part_of\"";
    if (const auto end = text.find(part); end != text.npos) {
      write("manifest.json", text.substr(0, end) + "\n}\n");
    }
    const Json manifest = Json::parse(read("manifest.json"));
    edit(
        manifest.at("digest").string(),
        glint_edge::sha256(manifest.without("digest").canonical()));
  }

  void check_refused_with(const std::string& part) const {
    check_refused(part, [this] { Recommender::load(folder()); });
  }

 private:
  fs::path root_;
};

void test_a_whole_copy_is_loaded(const fs::path& bundle) {
  const Copy copy(bundle);
  CHECK(!Recommender::load(copy.folder()).recommend({}, 1).empty());
}

void test_no_bundle(const fs::path& bundle) {
  const Copy copy(bundle);
  fs::remove(copy.file("manifest.json"));
  copy.check_refused_with("is not a bundle: it has no manifest.json");
  check_refused("is not a bundle", [] { Recommender::load("nowhere.glint"); });
}

void test_a_damaged_manifest(const fs::path& bundle) {
  const std::string whole = Copy(bundle).read("manifest.json");
  for (const std::size_t size : {std::size_t{0}, whole.size() / 2, whole.size() - 3}) {
    const Copy copy(bundle);
    copy.write("manifest.json", whole.substr(0, size));
    copy.check_refused_with("manifest.json is damaged");
  }
  for (const std::string text : {"[]", "{}", "null", "{\"schema_version\": \"1\"}"}) {
    const Copy copy(bundle);
    copy.write("manifest.json", text);
    copy.check_refused_with("manifest.json is damaged");
  }
  const Copy copy(bundle);
  copy.edit("\"created\": \"2", "\"created\": \"3");
  copy.check_refused_with("its digest does not match");
}

void test_another_version(const fs::path& bundle) {
  const Copy later(bundle), earlier(bundle);
  later.edit("\"schema_version\": 2", "\"schema_version\": 3");
  later.check_refused_with("has schema version 3, this app reads 2; upgrade the app");
  earlier.edit("\"schema_version\": 2", "\"schema_version\": 1");
  earlier.check_refused_with("was exported by an earlier glint-edge, without filters; export it again");
}

void test_a_damaged_file(const fs::path& bundle) {
  const std::string artifact = glint_edge::read_bundle(bundle).artifact.filename().string();
  for (const std::string& name : {std::string("items.json"), std::string("golden.json"), artifact}) {
    const std::string whole = Copy(bundle).read(name);
    for (const std::size_t place : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
      const Copy copy(bundle);
      copy.flip(name, place);
      copy.check_refused_with(name + " is damaged: its sha256 is not its manifest's");
    }
    const Copy copy(bundle);
    copy.write(name, whole.substr(0, whole.size() / 2));
    copy.check_refused_with(
        name + " has " + std::to_string(whole.size() / 2) + " bytes, its manifest says " +
        std::to_string(whole.size()));
    fs::remove(copy.file(name));
    copy.check_refused_with(name + " is missing or cannot be read; copy the whole bundle");
  }
}

void test_a_manifest_that_says_otherwise(const fs::path& bundle) {
  const glint_edge::Bundle whole = glint_edge::read_bundle(bundle);
  const std::string top_k = "\"top_k\": " + std::to_string(whole.top_k);
  const std::string shape =
      "\"state\": {\n  \"dtype\": \"float32\",\n  \"shape\": [\n   1,\n   ";
  const Copy other(bundle), lists(bundle), none(bundle), unlisted(bundle);
  other.forge(
      shape + std::to_string(whole.state_size), shape + std::to_string(whole.state_size + 1));
  other.check_refused_with("; ");  // by the runtime, or as of another model
  lists.forge(top_k, "\"top_k\": " + std::to_string(whole.top_k + 1));
  lists.check_refused_with("a case has not as many items and scores as a list");
  const std::string target = glint_edge::Program::kTarget, runtime = glint_edge::Program::kRuntime;
  none.forge("\"target\": \"" + target + "\"", "\"target\": \"someother\"");
  // `checks` may come first in another exporter's file; the artifact's is the first in ours.
  none.check_refused_with("has no artifact for " + runtime + "; export it with --target " + target);
  const Copy sizeless(bundle);
  sizeless.forge(top_k, "\"top_k\": -1");
  sizeless.check_refused_with("manifest.json is damaged (a number is -1, not from 1 to ");
  unlisted.forge("\"items.json\":", "\"others.json\":");
  unlisted.check_refused_with("items.json is not listed in the manifest");
}

// What an app has of a bundle is listed in the whole one's manifest.
void test_a_part_of_a_bundle(const fs::path& bundle) {
  const Copy more(bundle), none(bundle);
  if (more.read("manifest.json").find("\"part_of\"") == std::string::npos) return;
  const std::string sum = glint_edge::sha256(more.read("items.json"));
  more.write("items.json", more.read("items.json") + " ");
  more.edit(sum, glint_edge::sha256(more.read("items.json")));
  more.check_refused_with("its digest does not match");
  none.edit("\"part_of\": {", "\"part_of\": [], \"others\": {");
  none.check_refused_with("manifest.json is damaged");
}

void test_an_artifact_that_computes_something_else(const fs::path& bundle) {
  const Copy copy(bundle);
  const std::string whole = copy.read("golden.json"), norm = "\"state_norm\": ";
  std::string other = whole;
  for (auto at = other.find(norm); at != std::string::npos; at = other.find(norm, at + 1)) {
    char& digit = other[at + norm.size()];
    digit = digit == '9' ? '1' : static_cast<char>(digit + 1);
  }
  copy.write("golden.json", other);
  copy.forge(glint_edge::sha256(whole), glint_edge::sha256(other));
  copy.check_refused_with("does not compute what was exported (golden case ");
  const Copy empty(bundle);
  const std::string none = "{\"cases\": []" + std::string(whole.size() - 14, ' ') + "}\n";
  empty.write("golden.json", none);
  empty.forge(glint_edge::sha256(whole), glint_edge::sha256(none));
  empty.check_refused_with("golden.json is damaged");
}

void test(const fs::path& bundle) {
  test_a_whole_copy_is_loaded(bundle);
  test_no_bundle(bundle);
  test_a_damaged_manifest(bundle);
  test_another_version(bundle);
  test_a_damaged_file(bundle);
  test_a_manifest_that_says_otherwise(bundle);
  test_a_part_of_a_bundle(bundle);
  test_an_artifact_that_computes_something_else(bundle);
}

}  // namespace

int main(int count, char** words) { return run_on_bundle(count, words, test); }
