#include "stream.h"

#include <executorch/extension/tensor/tensor.h>
#include <executorch/extension/threadpool/threadpool_guard.h>

#include <algorithm>
#include <cmath>

#include "glint_edge/recommender.h"

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

std::vector<float> numbers_of(
    const std::vector<executorch::runtime::EValue>& outputs, std::size_t place,
    std::size_t count) {
  std::vector<float> values = values_of<float>(outputs, place, ScalarType::Float, count);
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
    throw Error("the artifact computes what are no numbers; export the bundle again");
  }
  return values;
}

}  // namespace

Stream::Stream(const Bundle& bundle)
    : state_size_(bundle.state_size),
      chunk_(bundle.chunk),
      top_k_(bundle.top_k),
      items_(static_cast<std::int64_t>(bundle.keys.size())),
      window_(bundle.window),
      module_(bundle.artifact.string(), Module::LoadMode::Mmap) {
  const OneThread guard;
  // One packed copy of the weights that several methods use, instead of one each.
  executorch::runtime::BackendOptions<1> xnnpack;
  executorch::runtime::LoadBackendOptionsMap options;
  check(xnnpack.set_option("weight_cache_enabled", true), "an option of XNNPACK");
  check(options.set_options("XnnpackBackend", xnnpack.view()), "an option of XNNPACK");
  check(module_.load(options), bundle.artifact.string());
  for (const char* method : {"append", "append_many", "recommend"}) {
    check(module_.load_method(method), bundle.artifact.string() + ", method " + method);
  }
}

State Stream::encode(const Ids& history) const {
  const std::size_t kept = std::min(history.size(), window_.value_or(history.size()));
  auto next = history.end() - static_cast<std::ptrdiff_t>(kept);
  State state(state_size_);
  const std::lock_guard lock(turn_);
  while (next != history.end()) {
    const auto size = static_cast<std::int64_t>(chunk_);
    const std::int64_t count = std::min<std::int64_t>(size, history.end() - next);
    std::vector<std::int64_t> chunk(chunk_);  // 0 is padding
    std::copy_n(next, count, chunk.begin());
    state = state_of(execute(
        "append_many",
        {tensor_of(state), ids_tensor(chunk.data(), {1, static_cast<int>(chunk_)}),
         ids_tensor(&count, {1})}));
    next += count;
  }
  return state;
}

State Stream::append(const State& state, const Ids& history, std::int32_t item) const {
  if (window_ && history.size() >= *window_) {
    // A state cannot forget its oldest item: a full one begins again from the last ones.
    Ids last(history.end() - static_cast<std::ptrdiff_t>(*window_ - 1), history.end());
    last.push_back(item);
    return encode(last);
  }
  const std::int64_t id = item;
  const std::lock_guard lock(turn_);
  return state_of(execute("append", {tensor_of(state), ids_tensor(&id, {1})}));
}

TopK Stream::top(const State& state) const {
  const std::lock_guard lock(turn_);
  const Outputs outputs = execute("recommend", {tensor_of(state)});
  TopK found{
      values_of<std::int64_t>(outputs, 0, ScalarType::Long, top_k_),
      numbers_of(outputs, 1, top_k_)};
  const auto known = [this](std::int64_t id) { return id >= 1 && id <= items_; };
  if (!std::all_of(found.ids.begin(), found.ids.end(), known)) {
    throw Error(
        "the artifact recommends items that are not in the catalogue; export the bundle again");
  }
  return found;
}

Stream::Outputs Stream::execute(const char* method, const Inputs& inputs) const {
  const OneThread guard;
  auto outputs = module_.execute(
      method, std::vector<executorch::runtime::EValue>(inputs.begin(), inputs.end()));
  check(outputs.error(), std::string("a call of ") + method);
  return std::move(*outputs);
}

TensorPtr Stream::tensor_of(const State& state) const {
  return from_blob(const_cast<float*>(state.data()), {1, static_cast<int>(state_size_)});
}

State Stream::state_of(const Outputs& outputs) const {
  return numbers_of(outputs, 0, state_size_);
}

}  // namespace glint_edge
