#include "stream.h"

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/extension/threadpool/threadpool_guard.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "bundle.h"

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

// The methods of an artifact. ExecuTorch's headers take a second to read: this file alone does.
class Stream::Program {
 public:
  explicit Program(const Bundle& bundle)
      : artifact_(bundle.artifact.string()),
        state_size_(bundle.state_size),
        top_k_(bundle.top_k),
        rows_(bundle.rows),
        items_(static_cast<std::int64_t>(bundle.keys.size())),
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

  State step(const char* method, const State& state, std::vector<TensorPtr> ids) {
    ids.insert(ids.begin(), tensor_of(state, state_size_));
    return numbers_of(execute(method, ids), 0, state_size_);
  }

  TopK recommend(const State& state, const Bias& bias) {
    return list_of(execute("recommend", {tensor_of(state, state_size_), tensor_of(bias, rows_)}));
  }

  TopK similar(std::int64_t item, const Bias& bias) {
    // Not when the bundle is loaded: it may pack the table once more, which not every app needs.
    load("similar");
    return list_of(execute("similar", {ids_tensor(&item, {1}), tensor_of(bias, rows_)}));
  }

 private:
  using Outputs = std::vector<executorch::runtime::EValue>;

  void load(const char* method) {
    const OneThread guard;
    check(module_.load_method(method), artifact_ + ", method " + method);
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

  // Without those that were left out, which come last.
  TopK list_of(const Outputs& outputs) const {
    TopK list{
        values_of<std::int64_t>(outputs, 0, ScalarType::Long, top_k_),
        numbers_of(outputs, 1, top_k_)};
    const auto is_left_out = [](float score) { return score < kNothingLeft; };
    const auto end = std::find_if(list.scores.begin(), list.scores.end(), is_left_out);
    list.ids.resize(static_cast<std::size_t>(end - list.scores.begin()));
    list.scores.resize(list.ids.size());
    const auto known = [this](std::int64_t id) { return id >= 1 && id <= items_; };
    if (!std::all_of(list.ids.begin(), list.ids.end(), known)) {
      throw Error(
          "the artifact recommends items that are not in the catalogue; export the bundle again");
    }
    return list;
  }

  const std::string artifact_;
  const std::size_t state_size_, top_k_, rows_;
  const std::int64_t items_;
  Module module_;
};

Stream::Stream(const Bundle& bundle)
    : state_size_(bundle.state_size),
      chunk_(bundle.chunk),
      window_(bundle.window),
      most_held_(bundle.most_held),
      program_(std::make_unique<Program>(bundle)) {}

Stream::~Stream() = default;

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
    state = program_->step(
        "append_many", state,
        {ids_tensor(chunk.data(), {1, static_cast<int>(chunk_)}), ids_tensor(&count, {1})});
    next += count;
  }
  return state;
}

State Stream::append(const State& state, const Ids& history, std::int32_t item) const {
  // A state begins with how many items it holds.
  if (window_ && state[0] >= static_cast<float>(most_held_)) {
    // It cannot forget the oldest of them: a full one begins again from the last items.
    const std::size_t kept = std::min(history.size(), *window_ - 1);
    Ids last(history.end() - static_cast<std::ptrdiff_t>(kept), history.end());
    last.push_back(item);
    return encode(last);
  }
  const std::int64_t id = item;
  const std::lock_guard lock(turn_);
  return program_->step("append", state, {ids_tensor(&id, {1})});
}

TopK Stream::top(const State& state, const Bias& bias) const {
  const std::lock_guard lock(turn_);
  return program_->recommend(state, bias);
}

TopK Stream::similar(std::int32_t item, const Bias& bias) const {
  const std::lock_guard lock(turn_);
  return program_->similar(item, bias);
}

}  // namespace glint_edge
