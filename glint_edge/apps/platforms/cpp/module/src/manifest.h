// The manifest of a bundle, and the files that it lists, held to it.

#pragma once

#include <filesystem>
#include <string>

#include "glint_edge/recommender.h"
#include "json.h"

namespace glint_edge {

// The manifest, checked against its own digest. Throws Error if it is damaged or of another version.
Json read_manifest(const std::filesystem::path& folder);

// A JSON file of a bundle, checked against the manifest.
Json read_checked(
    const std::filesystem::path& folder, const Json& manifest, const std::string& name);

// The same of a file of any bytes.
std::string read_checked_bytes(
    const std::filesystem::path& folder, const Json& manifest, const std::string& name);

// Throws Error if a file is not what the manifest says.
void check_file(
    const std::filesystem::path& folder, const Json& manifest, const std::string& name);

// What `read` gives; an error in what it reads is one of the file.
template <typename Read>
auto of_file(const std::filesystem::path& file, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    throw Error(file.string() + " is damaged (" + error.what() + "); copy the bundle again");
  }
}

}  // namespace glint_edge
