// The methods of a bundle's artifact in a runtime: engine.cpp or executorch.cpp, of which a build takes
// one.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "filters.h"

namespace glint_edge {

using State = std::vector<float>;  // all zeros is no history

// For one thread at a time. What a call gives is looked at by those who ask.
class Program {
 public:
  // Throws Error if the runtime refuses the artifact.
  static std::unique_ptr<Program> open(const Bundle& bundle);

  // The artifact's target in the manifest, and what the runtime is called.
  static const char* const kTarget;
  static const char* const kRuntime;

  virtual ~Program() = default;

  // The state one item further.
  virtual State append(const State& state, std::int32_t item) = 0;

  // The state any number of items further.
  virtual State append_many(const State& state, const Ids& items) = 0;

  // The artifact's list for a state; what a bias leaves out comes last.
  virtual TopK recommend(const State& state, const Bias& bias) = 0;

  // The same of the items most like one.
  virtual TopK similar(std::int32_t item, const Bias& bias) = 0;
};

}  // namespace glint_edge
