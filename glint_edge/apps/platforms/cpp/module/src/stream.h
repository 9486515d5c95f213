// The model of a bundle, run by ExecuTorch: from a state to the next, and from a state to a list.

#pragma once

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor_ptr.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "bundle.h"

namespace glint_edge {

using State = std::vector<float>;  // all zeros is no history
using Ids = std::vector<std::int32_t>;

// Best first.
struct TopK {
  std::vector<std::int64_t> ids;
  std::vector<float> scores;
};

// Several threads may call it; they take turns.
class Stream {
 public:
  // Throws Error if ExecuTorch refuses the artifact.
  explicit Stream(const Bundle& bundle);

  // The state after a whole history.
  State encode(const Ids& history) const;

  // The state one item further; `history` is what `state` was made of.
  State append(const State& state, const Ids& history, std::int32_t item) const;

  // The artifact's list for a state: numbers, and items of the catalogue.
  TopK top(const State& state) const;

 private:
  using Inputs = std::vector<executorch::extension::TensorPtr>;
  using Outputs = std::vector<executorch::runtime::EValue>;
  Outputs execute(const char* method, const Inputs& inputs) const;
  executorch::extension::TensorPtr tensor_of(const State& state) const;
  State state_of(const Outputs& outputs) const;

  const std::size_t state_size_, chunk_, top_k_;
  const std::int64_t items_;
  const std::optional<std::size_t> window_;
  mutable std::mutex turn_;
  mutable executorch::extension::Module module_;  // guarded by turn_
};

}  // namespace glint_edge
