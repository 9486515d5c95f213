// A bundle's folder, read and checked.

#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "golden.h"
#include "json.h"
#include "neighbours.h"

namespace glint_edge {

// What an app needs of a bundle.
struct Bundle {
  std::filesystem::path folder;
  std::string digest;               // the manifest's: which model this is, to the last bit
  std::filesystem::path artifact;   // what the runtime runs
  std::size_t state_size;           // floats of a state
  std::size_t chunk;                // items that append_many takes at once
  std::size_t items;                // of the model's catalogue
  std::size_t longest;              // the model's N: histories up to it were trained on
  std::size_t top_k;                // items that the artifact recommends
  std::size_t rows;                 // of the artifact's table, which a bias has numbers for
  std::optional<std::size_t> window;  // how many of a session's last items count; none: all
  std::size_t most_held;            // items that a state holds at most, where there is a window
  std::vector<std::string> keys;    // the user's own, by id - 1; retired ones too
  using Texts = std::unordered_map<std::string, std::string>;  // by key
  Texts titles;
  std::vector<std::pair<std::string, Texts>> fields;  // a field's name, and its values
  Texts images;                     // addresses, http or https
  std::optional<double> repeats;    // share of the log's targets that repeat; none: not known
  std::optional<Neighbours> neighbours;  // none: the model is alone
  GoldenCase golden;                // what a load runs

  // Whether lists leave out all of the session's own items, where nobody says.
  bool excludes_seen() const;

  // How many of a session's last items are saved as they are; none: all.
  std::optional<std::size_t> kept() const;
};

// Throws Error if a file is missing, damaged or of a later version, or there is no
// artifact for the runtime of this build.
Bundle read_bundle(const std::filesystem::path& folder);

}  // namespace glint_edge
