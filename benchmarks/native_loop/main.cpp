// What one would write by hand around ExecuTorch's `Module` to time a bundle's `.pte`:
//
//     native-loop MODEL.pte RUNS
//
// prints {"append": [nanoseconds, …], "recommend": […], "cold_start_20": […], …}. It shares no
// line with the native runner, which is held against it.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

namespace executorch::extension::threadpool {
// Of libexecutorch_threadpool; the wheel does not ship its header.
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

using executorch::extension::from_blob;
using executorch::extension::Module;
using executorch::runtime::EValue;
using State = std::vector<float>;

constexpr int kStates = 8;
constexpr int kWarmup = 500;

static std::vector<EValue> run(
    Module& module, const char* method, const std::vector<EValue>& inputs) {
  auto outputs = module.execute(method, inputs);
  if (!outputs.ok()) {
    std::fprintf(stderr, "%s: %s\n", method, to_string(outputs.error()));
    std::exit(1);
  }
  return std::move(*outputs);
}

static void append(Module& module, State& state, int64_t item, State& after) {
  auto s = from_blob(state.data(), {1, static_cast<int>(state.size())});
  auto i = from_blob(&item, {1}, executorch::aten::ScalarType::Long);
  const auto outputs = run(module, "append", {s, i});
  const float* data = outputs[0].toTensor().const_data_ptr<float>();
  after.assign(data, data + state.size());
}

static void append_many(Module& module, State& state, std::vector<int64_t>& items, int chunk) {
  std::vector<int64_t> ids(chunk);
  for (size_t start = 0; start < items.size(); start += chunk) {
    int64_t count = std::min<int64_t>(chunk, items.size() - start);
    for (int n = 0; n < chunk; ++n) ids[n] = n < count ? items[start + n] : 0;
    auto s = from_blob(state.data(), {1, static_cast<int>(state.size())});
    auto i = from_blob(ids.data(), {1, chunk}, executorch::aten::ScalarType::Long);
    auto c = from_blob(&count, {1}, executorch::aten::ScalarType::Long);
    const auto outputs = run(module, "append_many", {s, i, c});
    const float* data = outputs[0].toTensor().const_data_ptr<float>();
    state.assign(data, data + state.size());
  }
}

static std::vector<float> no_filter;  // zeros, one a row of the table

static int64_t recommend(Module& module, State& state) {
  auto s = from_blob(state.data(), {1, static_cast<int>(state.size())});
  auto b = from_blob(no_filter.data(), {1, static_cast<int>(no_filter.size())});
  return run(module, "recommend", {s, b})[0].toTensor().const_data_ptr<int64_t>()[0];
}

static void time(
    const char* name, int runs, const char* end, const std::function<void(int)>& call) {
  for (int n = 0; n < kWarmup; ++n) call(n);
  std::vector<int64_t> took;
  for (int n = 0; n < runs; ++n) {
    const auto start = std::chrono::steady_clock::now();
    call(n);
    const auto spent = std::chrono::steady_clock::now() - start;
    took.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
  }
  std::printf("\"%s\": [", name);
  for (int n = 0; n < runs; ++n) std::printf("%s%lld", n ? ", " : "", (long long)took[n]);
  std::printf("]%s", end);
}

int main(int, char** arguments) {
  executorch::extension::threadpool::get_threadpool()->_unsafe_reset_threadpool(1);
  Module module(arguments[1], Module::LoadMode::Mmap);
  const int runs = std::atoi(arguments[2]);
  const auto meta = module.method_meta("append_many");
  const auto list = module.method_meta("recommend");
  if (!meta.ok() || !list.ok()) return 1;
  no_filter.resize(list->input_tensor_meta(1)->sizes()[1]);
  const int size = meta->input_tensor_meta(0)->sizes()[1];
  const int chunk = meta->input_tensor_meta(1)->sizes()[1];

  std::vector<State> states(kStates, State(size));
  for (int n = 0; n < kStates; ++n) {
    for (int item = 1; item <= 20; ++item) append(module, states[n], item + n, states[n]);
  }
  State after(size);
  std::printf("{");
  time("append", runs, ", ", [&](int n) { append(module, states[n % kStates], n % 40, after); });
  time("recommend", runs, ", ", [&](int n) { recommend(module, states[n % kStates]); });
  for (const int length : {20, 50, 200}) {
    std::vector<int64_t> items(length);
    for (int n = 0; n < length; ++n) items[n] = 1 + n % 40;
    char name[32];
    std::snprintf(name, sizeof name, "cold_start_%d", length);
    time(name, runs, length == 200 ? "}\n" : ", ", [&](int) {
      after.assign(size, 0.0f);
      append_many(module, after, items, chunk);
      recommend(module, after);
    });
  }
}
