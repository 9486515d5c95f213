// The bundle's .pte on ExecuTorch.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/extension/threadpool/threadpool_guard.h>

#include <algorithm>
#include <string>
#include <utility>

#include "bundle.h"
#include "program.h"

namespace glint_edge {
namespace {

using executorch::aten::ScalarType;
using executorch::extension::from_blob;
using executorch::extension::Module;
using executorch::extension::TensorPtr;
// A call takes some tens of microseconds: less than it takes to wake other threads for it.
using OneThread = executorch::extension::threadpool::NoThreadPoolGuard;

void check(executorch::runtime::Error error, const std::string& what) {
  if (error != executorch::runtime::Error::Ok) {
    throw Error(
        "ExecuTorch refuses " + what + " (" + executorch::runtime::to_string(error) +
        "); use the version that the bundle's manifest names, or a newer one");
  }
}

// A tensor borrows its memory for the time of a call, in which it is only read.
TensorPtr ids_tensor(const std::int64_t* ids, std::vector<executorch::aten::SizesType> sizes) {
  return from_blob(const_cast<std::int64_t*>(ids), std::move(sizes), ScalarType::Long);
}

// A copy of an output, which lies in the method's own memory until its next call. ExecuTorch ends
// the process where a value is asked for as what it is not, so that is looked at first.
template <typename T>
std::vector<T> values_of(
    const std::vector<executorch::runtime::EValue>& outputs, std::size_t place, ScalarType type,
    std::size_t count) {
  if (place < outputs.size() && outputs[place].isTensor()) {
    const auto tensor = outputs[place].toTensor();
    if (tensor.scalar_type() == type && static_cast<std::size_t>(tensor.numel()) == count) {
      const T* values = tensor.template const_data_ptr<T>();
      return {values, values + count};
    }
  }
  throw Error("the artifact is of another model than its manifest; export the bundle again");
}

class ExecuTorch : public Program {
 public:
  explicit ExecuTorch(const Bundle& bundle)
      : artifact_(bundle.artifact.string()),
        state_size_(bundle.state_size),
        chunk_(bundle.chunk),
        top_k_(bundle.top_k),
        rows_(bundle.rows),
        module_(artifact_, Module::LoadMode::Mmap) {
    const OneThread guard;
    // One packed copy of the weights that several methods use, instead of one each.
    executorch::runtime::BackendOptions<1> xnnpack;
    executorch::runtime::LoadBackendOptionsMap options;
    check(xnnpack.set_option("weight_cache_enabled", true), "an option of XNNPACK");
    check(options.set_options("XnnpackBackend", xnnpack.view()), "an option of XNNPACK");
    check(module_.load(options), artifact_);
    for (const char* method : {"append", "append_many", "recommend"}) load(method);
  }

  State append(const State& state, std::int32_t item) override {
    const std::int64_t id = item;
    return step("append", state, {ids_tensor(&id, {1})});
  }

  State append_many(const State& before, const Ids& items) override {
    State state = before;
    const auto size = static_cast<std::int64_t>(chunk_);
    for (auto next = items.begin(); next != items.end();) {
      const std::int64_t count = std::min<std::int64_t>(size, items.end() - next);
      std::vector<std::int64_t> chunk(chunk_);  // 0 is padding
      std::copy_n(next, count, chunk.begin());
      state = step(
          "append_many", state,
          {ids_tensor(chunk.data(), {1, static_cast<int>(chunk_)}), ids_tensor(&count, {1})});
      next += count;
    }
    return state;
  }

  TopK recommend(const State& state, const Bias& bias) override {
    return list_of(execute("recommend", {tensor_of(state, state_size_), tensor_of(bias, rows_)}));
  }

  TopK similar(std::int32_t item, const Bias& bias) override {
    // Not when the bundle is loaded: it may pack the table once more, which not every app needs.
    load("similar");
    const std::int64_t id = item;
    return list_of(execute("similar", {ids_tensor(&id, {1}), tensor_of(bias, rows_)}));
  }

 private:
  using Outputs = std::vector<executorch::runtime::EValue>;

  void load(const char* method) {
    const OneThread guard;
    check(module_.load_method(method), artifact_ + ", method " + method);
  }

  State step(const char* method, const State& state, std::vector<TensorPtr> ids) {
    ids.insert(ids.begin(), tensor_of(state, state_size_));
    return values_of<float>(execute(method, ids), 0, ScalarType::Float, state_size_);
  }

  Outputs execute(const char* method, const std::vector<TensorPtr>& inputs) {
    const OneThread guard;
    auto outputs = module_.execute(
        method, std::vector<executorch::runtime::EValue>(inputs.begin(), inputs.end()));
    check(outputs.error(), std::string("a call of ") + method);
    return std::move(*outputs);
  }

  TensorPtr tensor_of(const std::vector<float>& numbers, std::size_t size) const {
    return from_blob(const_cast<float*>(numbers.data()), {1, static_cast<int>(size)});
  }

  TopK list_of(const Outputs& outputs) const {
    return {
        values_of<std::int64_t>(outputs, 0, ScalarType::Long, top_k_),
        values_of<float>(outputs, 1, ScalarType::Float, top_k_)};
  }

  const std::string artifact_;
  const std::size_t state_size_, chunk_, top_k_, rows_;
  Module module_;
};

}  // namespace

const char* const Program::kTarget = "executorch";
const char* const Program::kRuntime = "ExecuTorch";

std::unique_ptr<Program> Program::open(const Bundle& bundle) {
  return std::make_unique<ExecuTorch>(bundle);
}

}  // namespace glint_edge
