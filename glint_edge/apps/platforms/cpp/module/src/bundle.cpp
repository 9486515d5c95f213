#include "bundle.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "glint_edge/recommender.h"
#include "manifest.h"
#include "program.h"

namespace glint_edge {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLargest = 1 << 28;  // of a size, that memory can hold
// From this share of repeating targets on, people take an item again. Ratings and reviews have none,
// but for a row written twice; shops, music and news 10 to 60 %.
constexpr double kRepeatsFrom = 0.01;
constexpr std::int64_t kMostItems = 100'000'000, kMostSteps = 1'000'000;

// One of the bundle's own folder.
std::string file_name(const std::string& name) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const bool is_plain = name.find_first_not_of(kLetters) == std::string::npos;
  if (!is_plain || name.empty() || name.size() > 99 || kLetters.find(name[0]) >= 62) {
    throw Error("a name is none of a file in its folder");
  }
  return name;
}

// Holds the names and sums of what the manifest lists to their form.
void check_listed(const Json& manifest) {
  for (const auto& [name, listed] : manifest.at("files").object()) {
    file_name(name);
    listed.at("bytes").integer(0, std::int64_t{1} << 40);
    listed.at("sha256").string();
  }
}

// The name of the artifact for this runtime; empty if there is none.
std::string artifact_of(const Json& manifest) {
  std::string name;
  for (const Json& artifact : manifest.at("artifacts").array()) {
    const std::string file = file_name(artifact.at("file").string());
    if (artifact.at("target").string() == Program::kTarget && name.empty()) name = file;
  }
  return name;
}

fs::path checked_artifact(const fs::path& folder, const Json& manifest, const std::string& name) {
  if (name.empty()) {
    throw Error(
        folder.string() + " has no artifact for " + Program::kRuntime + "; export it with --target " +
        Program::kTarget);
  }
  check_file(folder, manifest, name);
  return folder / name;
}

// At least one, and no more than `most`.
std::size_t size_of(const Json& number, std::int64_t most) {
  return static_cast<std::size_t>(number.integer(1, most));
}

// Of a shape [1, size].
std::size_t last(const Json& shape) {
  if (shape.array().size() != 2) throw Error("a shape has not two sizes");
  size_of(shape.array().front(), kLargest);
  return size_of(shape.array().back(), kLargest);
}

// The size of what a method takes by this name.
std::size_t input_of(const Json& manifest, const std::string& method, std::string_view name) {
  std::size_t size = 0;
  for (const Json& input : manifest.at("methods").at(method).at("inputs").array()) {
    if (input.at("name").string() == name) size = last(input.at("shape"));
  }
  if (size == 0) throw Error(method + " takes no " + std::string(name));
  return size;
}

// An imported model promises its authors' scores of its last N items: none may be beyond them.
std::size_t most_held_of(const Json& model, std::size_t longest) {
  const Json* padding = model.find("padding");
  if (padding == nullptr || padding->string() == "masked") return longest + longest / 4;
  if (padding->string() != "reference") throw Error("its padding is unknown");
  return longest;
}

// Of a log's targets, those that repeat an item of their user's; none: not known.
std::optional<double> repeats_of(const Json& manifest) {
  const Json* data = manifest.find("data");
  const Json* repeats = data == nullptr ? nullptr : data->find("repeats");
  if (repeats == nullptr || repeats->is_null()) return std::nullopt;
  const double share = repeats->number();
  if (share < 0 || share > 1) throw Error("repeats is no share");
  return share;
}

// All of a bundle but its items, artifact and golden case.
Bundle described_by(const Json& manifest) {
  Bundle bundle;
  bundle.digest = manifest.at("digest").string();
  bundle.artifact = artifact_of(manifest);
  bundle.state_size = last(manifest.at("state").at("shape"));
  bundle.chunk = input_of(manifest, "append_many", "items");
  bundle.items = size_of(manifest.at("model").at("items"), kMostItems);
  bundle.longest = size_of(manifest.at("model").at("max_length"), kMostSteps);
  bundle.most_held = most_held_of(manifest.at("model"), bundle.longest);
  bundle.rows = input_of(manifest, "recommend", "bias");
  if (bundle.rows < bundle.items + 2) throw Error("its table has fewer rows than items");
  const auto most = std::min<std::size_t>(bundle.items, kMostSteps);
  bundle.top_k = size_of(manifest.at("top_k"), static_cast<std::int64_t>(most));
  const std::string& window = manifest.at("window").string();
  if (window == "sliding") bundle.window = bundle.longest;
  if (window != "sliding" && window != "unbounded") throw Error("its window is unknown");
  bundle.repeats = repeats_of(manifest);
  check_listed(manifest);
  return bundle;
}

// A text, or a whole number, which is a key as it is spelled.
std::string key_of(const Json& key) {
  constexpr std::int64_t kMost = 999'999'999'999'999'999;  // that every platform reads
  if (!key.is_number()) return key.string();
  return std::to_string(key.integer(-kMost, kMost));
}

// Texts by key; none: there are none.
Bundle::Texts texts_of(const Json* by_key) {
  Bundle::Texts texts;
  if (by_key == nullptr) return texts;
  for (const auto& [key, text] : by_key->object()) texts[key] = text.string();
  return texts;
}

void require_address(const std::string& address) {
  std::string scheme = address.substr(0, address.find("://"));
  for (char& letter : scheme) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  const bool is_of_the_web = scheme == "http" || scheme == "https";
  if (!is_of_the_web || scheme.size() == address.size()) {
    throw Error("the address of a picture is none of the web");
  }
}

void read_items(Bundle& bundle, const Json& items) {
  for (const Json& key : items.at("keys").array()) bundle.keys.push_back(key_of(key));
  std::unordered_set<std::string_view> known(bundle.keys.begin(), bundle.keys.end());
  if (bundle.keys.size() != bundle.items) {
    throw Error(
        "it lists " + std::to_string(bundle.keys.size()) + " items, the model has " +
        std::to_string(bundle.items));
  }
  if (known.size() != bundle.items) throw Error("a key stands there twice");
  if (known.count("") != 0) throw Error("a key is empty");
  bundle.titles = texts_of(items.find("titles"));
  if (const Json* fields = items.find("fields")) {
    for (const auto& [name, values] : fields->object()) {
      bundle.fields.emplace_back(name, texts_of(&values));
    }
  }
  bundle.images = texts_of(items.find("images"));
  for (const auto& [key, address] : bundle.images) require_address(address);
}

std::optional<Neighbours> neighbours_of(
    const fs::path& folder, const Json& manifest, std::size_t items) {
  if (manifest.at("files").find(Neighbours::kFile) == nullptr) return std::nullopt;
  const std::string bytes = read_checked_bytes(folder, manifest, Neighbours::kFile);
  if (const std::uint32_t version = Neighbours::later_version(bytes)) {
    throw Error(
        (folder / Neighbours::kFile).string() + " has version " + std::to_string(version) +
        ", this app reads " + std::to_string(Neighbours::kVersion) + "; upgrade the app");
  }
  return of_file(folder / Neighbours::kFile, [&] { return Neighbours(bytes, items); });
}

}  // namespace

bool Bundle::excludes_seen() const { return repeats && *repeats < kRepeatsFrom; }

std::optional<std::size_t> Bundle::kept() const {
  if (!window || !neighbours) return window;
  return std::max(*window, neighbours->last());
}

Bundle read_bundle(const fs::path& folder) {
  const Json manifest = read_manifest(folder);
  Bundle bundle = of_file(folder / "manifest.json", [&] { return described_by(manifest); });
  bundle.folder = folder;
  bundle.artifact = checked_artifact(folder, manifest, bundle.artifact.string());
  const Json golden = read_checked(folder, manifest, "golden.json");
  bundle.golden = of_file(folder / "golden.json", [&] {
    lists_of(golden, bundle);  // read for what is wrong with them
    return longest_case(golden, bundle);
  });
  const Json items = read_checked(folder, manifest, "items.json");
  of_file(folder / "items.json", [&] { read_items(bundle, items); });
  bundle.neighbours = neighbours_of(folder, manifest, bundle.items);
  return bundle;
}

}  // namespace glint_edge
