#include "manifest.h"

#include <cstdint>
#include <fstream>
#include <system_error>
#include <unordered_set>
#include <vector>

#include "sha256.h"

namespace glint_edge {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSchemaVersion = 2, kWithoutFilters = 1;

bool is_file(const fs::path& file) {
  std::error_code reason;  // asked for, so that nothing but an Error is thrown
  return fs::is_regular_file(file, reason);
}

// A file from its start, a piece at a time: `take(data, size)`.
template <typename Take>
void read_file(const fs::path& file, const Take& take) {
  std::ifstream stream(file, std::ios::binary);
  if (!is_file(file) || !stream) {
    throw Error(file.string() + " is missing or cannot be read; copy the whole bundle");
  }
  std::vector<char> piece(1 << 16);
  while (stream) {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    take(piece.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad()) throw Error(file.string() + " cannot be read; copy the bundle again");
}

std::string read_text(const fs::path& file) {
  std::string text;
  read_file(file, [&](const char* data, std::size_t size) { text.append(data, size); });
  return text;
}

// Holds what was read of a file to the manifest.
void check(
    const fs::path& file, const Json& manifest, std::uintmax_t size, const std::string& sha256) {
  const Json* expected = manifest.at("files").find(file.filename().string());
  if (expected == nullptr) {
    throw Error(file.string() + " is not listed in the manifest; export the bundle again");
  }
  const std::int64_t bytes = expected->at("bytes").integer();
  if (static_cast<std::int64_t>(size) != bytes) {
    throw Error(
        file.string() + " has " + std::to_string(size) + " bytes, its manifest says " +
        std::to_string(bytes) + "; copy the bundle again");
  }
  if (sha256 != expected->at("sha256").string()) {
    throw Error(
        file.string() + " is damaged: its sha256 is not its manifest's; copy the bundle again");
  }
}

// Whether all that a part of a bundle lists stands in the whole one's lists too.
bool is_in(const Json& part, const Json& whole) {
  std::unordered_set<std::string> artifacts;
  for (const Json& one : whole.at("artifacts").array()) artifacts.insert(one.canonical());
  for (const Json& one : part.at("artifacts").array()) {
    if (artifacts.count(one.canonical()) == 0) return false;
  }
  for (const auto& [name, sums] : part.at("files").object()) {
    const Json* of_whole = whole.at("files").find(name);
    if (of_whole == nullptr || of_whole->canonical() != sums.canonical()) return false;
  }
  return true;
}

// A flipped bit in a figure is still good JSON. The part of a bundle that an app runs keeps the whole
// one's digest, so that sessions go on.
bool is_as_written(const Json& manifest) {
  Json digested = manifest.without("digest");
  if (const Json* whole = manifest.find("part_of")) {
    if (!is_in(manifest, *whole)) return false;
    digested = digested.without("part_of")
                   .with("artifacts", whole->at("artifacts"))
                   .with("files", whole->at("files"));
  }
  return manifest.at("digest").string() == sha256(digested.canonical());
}

}  // namespace

Json read_manifest(const fs::path& folder) {
  const fs::path file = folder / "manifest.json";
  if (!is_file(file)) {
    throw Error(folder.string() + " is not a bundle: it has no manifest.json");
  }
  const Json manifest = of_file(file, [&] { return Json::parse(read_text(file)); });
  const auto version = of_file(file, [&] { return manifest.at("schema_version").integer(); });
  if (version == kWithoutFilters) {
    throw Error(
        folder.string() + " was exported by an earlier glint-edge, without filters; export it "
        "again");
  }
  if (version < kSchemaVersion) {
    throw Error(file.string() + " is damaged (its schema version); copy the bundle again");
  }
  if (version > kSchemaVersion) {
    throw Error(
        folder.string() + " has schema version " + std::to_string(version) + ", this app reads " +
        std::to_string(kSchemaVersion) + "; upgrade the app");
  }
  if (!of_file(file, [&] { return is_as_written(manifest); })) {
    throw Error(
        file.string() + " is damaged or was edited: its digest does not match; copy the bundle "
        "again");
  }
  return manifest;
}

Json read_checked(const fs::path& folder, const Json& manifest, const std::string& name) {
  const std::string text = read_checked_bytes(folder, manifest, name);
  return of_file(folder / name, [&] { return Json::parse(text); });
}

std::string read_checked_bytes(
    const fs::path& folder, const Json& manifest, const std::string& name) {
  const fs::path file = folder / name;
  std::string text = read_text(file);
  check(file, manifest, text.size(), sha256(text));
  return text;
}

void check_file(const fs::path& folder, const Json& manifest, const std::string& name) {
  const fs::path file = folder / name;
  Sha256 sum;
  std::uintmax_t bytes = 0;
  read_file(file, [&](const char* data, std::size_t size) {
    sum.update(data, size);
    bytes += size;
  });
  check(file, manifest, bytes, sum.hex());
}

}  // namespace glint_edge
