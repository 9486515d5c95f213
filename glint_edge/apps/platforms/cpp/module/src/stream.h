// The model of a bundle, whatever runs it: from a state to the next, and from a state to a list.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "filters.h"
#include "program.h"

namespace glint_edge {

// Several threads may call it; they take turns.
class Stream {
 public:
  // Throws Error if the runtime refuses the artifact.
  explicit Stream(const Bundle& bundle);
  ~Stream();

  // The state after a whole history.
  State encode(const Ids& history) const;

  // The state one item further; `history` is what `state` was made of.
  State append(const State& state, const Ids& history, std::int32_t item) const;

  // The artifact's list for a state: numbers, and items of the catalogue, but for those that the bias
  // leaves out.
  TopK top(const State& state, const Bias& bias) const;

  // The same of the items most like one.
  TopK similar(std::int32_t item, const Bias& bias) const;

 private:
  const std::size_t state_size_;
  const std::int64_t items_;
  const std::optional<std::size_t> window_;
  const std::size_t most_held_;  // the most items that a state holds, where there is a window
  mutable std::mutex turn_;
  const std::unique_ptr<Program> program_;  // guarded by turn_
};

}  // namespace glint_edge
