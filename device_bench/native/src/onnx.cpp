// A `.onnx` or `.ort` on ONNX Runtime: one graph, whose `method` input chooses what it computes.

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <vector>

#include "onnxruntime_c.h"
#include "runtime.h"

namespace glint {
namespace {

// What the graph calls its inputs and outputs; `converters.to_onnx.lower` writes them.
constexpr const char* kInputs[] = {"method", "state", "items", "count", "bias"};
constexpr const char* kOutputs[] = {"new_state", "top_items", "top_scores"};
constexpr int64_t kAppend = 0, kAppendMany = 1, kRecommend = 2;

const Ort& ort() {
  static const Ort api{OrtGetApiBase()->GetApi(kOrtApiVersion)};
  return api;
}

void check(OrtStatus* status) {
  if (status == nullptr) return;
  const std::string message = ort().GetErrorMessage(status);
  ort().ReleaseStatus(status);
  throw Error(message);
}

// Owns what ONNX Runtime made.
template <typename T>
using Owned = std::unique_ptr<T, std::function<void(T*)>>;

template <typename T, typename Release, typename Make>
Owned<T> make(const Release& release, Make make) {
  T* made = nullptr;
  check(make(&made));
  return Owned<T>(made, release);
}

// Kept from load to load, as in an app: a process has one.
OrtEnv* environment() {
  // Else a thread of it looks up its maker's host and keeps a device's id; read once, here.
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
  static const auto made = make<OrtEnv>(ort().ReleaseEnv, [](OrtEnv** out) {
    return ort().CreateEnv(kOrtFatal, "glint", out);
  });
  return made.get();
}

Owned<OrtSession> open(const std::string& path, int threads) {
  const auto options = make<OrtSessionOptions>(
      ort().ReleaseSessionOptions,
      [](OrtSessionOptions** out) { return ort().CreateSessionOptions(out); });
  check(ort().SetIntraOpNumThreads(options.get(), threads));
  check(ort().SetInterOpNumThreads(options.get(), 1));
  check(ort().SetSessionLogSeverityLevel(options.get(), kOrtFatal));
  return make<OrtSession>(ort().ReleaseSession, [&](OrtSession** out) {
    return ort().CreateSession(environment(), path.c_str(), options.get(), out);
  });
}

// An input or an output: its name, and the size of its last dimension.
struct Port {
  std::string name;
  int64_t width;
};

template <typename Info, typename Name>
Port port(const OrtSession* session, size_t index, const Info& get_info, const Name& get_name) {
  OrtAllocator* allocator = nullptr;
  check(ort().GetAllocatorWithDefaultOptions(&allocator));
  const auto name = make<char>(
      [allocator](char* text) { (void)ort().AllocatorFree(allocator, text); },
      [&](char** out) { return get_name(session, index, allocator, out); });
  const auto info = make<OrtTypeInfo>(ort().ReleaseTypeInfo, [&](OrtTypeInfo** out) {
    return get_info(session, index, out);
  });
  const OrtTensorTypeAndShapeInfo* shape = nullptr;  // of `info`
  check(ort().CastTypeInfoToTensorInfo(info.get(), &shape));
  size_t rank = 0;
  if (shape != nullptr) check(ort().GetDimensionsCount(shape, &rank));
  std::vector<int64_t> sizes(rank);
  if (rank > 0) check(ort().GetDimensions(shape, sizes.data(), rank));
  return {name.get(), sizes.empty() ? 0 : sizes.back()};
}

// Checks the names; returns the sizes of the last dimensions, inputs first.
std::vector<int64_t> widths(const OrtSession* session) {
  size_t inputs = 0, outputs = 0;
  check(ort().SessionGetInputCount(session, &inputs));
  check(ort().SessionGetOutputCount(session, &outputs));
  std::vector<std::string> expected(std::begin(kInputs), std::end(kInputs));
  expected.insert(expected.end(), std::begin(kOutputs), std::end(kOutputs));
  std::vector<std::string> names;
  std::vector<int64_t> sizes;
  const auto add = [&](const Port& port) {
    names.push_back(port.name);
    sizes.push_back(port.width);
  };
  for (size_t n = 0; n < inputs; ++n) {
    add(port(session, n, ort().SessionGetInputTypeInfo, ort().SessionGetInputName));
  }
  for (size_t n = 0; n < outputs; ++n) {
    add(port(session, n, ort().SessionGetOutputTypeInfo, ort().SessionGetOutputName));
  }
  if (names != expected) throw Error("it is no stream program");
  if (sizes[1] <= 0 || sizes[1] != sizes[5] || sizes[6] <= 0 || sizes[6] != sizes[7]) {
    throw Error("its methods do not fit together");
  }
  return sizes;
}

// Memory of ours as a tensor [1, size], or [1] for one number.
template <typename T>
class Tensor {
 public:
  Tensor(std::vector<T> values, bool scalar = false) : values_(std::move(values)) {
    if (scalar) {
      wrap(values_.data(), {1});
    } else {
      wrap(values_.data(), {1, static_cast<int64_t>(values_.size())});
    }
  }

  T* data() { return values_.data(); }
  OrtValue* value() const { return value_.get(); }

  // Another's memory instead, which must outlive the calls that read it.
  void borrow(const T* values, int64_t count) {
    wrap(const_cast<T*>(values), {1, count});
  }

 private:
  void wrap(T* data, std::vector<int64_t> shape) {
    static const auto memory = make<OrtMemoryInfo>(
        ort().ReleaseMemoryInfo, [](OrtMemoryInfo** out) {
          return ort().CreateCpuMemoryInfo(kOrtDeviceAllocator, kOrtMemTypeDefault, out);
        });
    constexpr int type = std::is_same_v<T, float> ? kOrtFloat : kOrtInt64;
    const size_t bytes = static_cast<size_t>(shape.back()) * sizeof(T);
    value_ = make<OrtValue>(ort().ReleaseValue, [&](OrtValue** out) {
      return ort().CreateTensorWithDataAsOrtValue(
          memory.get(), data, bytes, shape.data(), shape.size(), type, out);
    });
  }

  std::vector<T> values_;
  Owned<OrtValue> value_;
};

class Onnx final : public Runtime {
 public:
  Onnx(const std::string& path, int threads) : Onnx(open(path, threads), threads) {}

  int64_t state_size() const override { return size_; }
  int64_t top_k() const override { return top_k_; }
  int64_t threads() const override { return threads_; }

  void append(const float* state, int64_t item, float* after) override {
    *one_item_.data() = item;
    step(kAppend, state, one_item_, 1, after);
  }

  void append_many(
      const float* state, const int64_t* items, int64_t count, float* after) override {
    if (count == 0) {
      if (after != state) std::copy_n(state, size_, after);
      return;
    }
    items_.borrow(items, count);  // the graph takes any length
    step(kAppendMany, state, items_, count, after);
  }

  void recommend(const float* state, int64_t* items, float* scores) override {
    OrtValue* outputs[] = {top_items_.value(), top_scores_.value()};
    run(kRecommend, state, one_item_, 1, kOutputs + 1, outputs, 2);
    std::copy_n(top_items_.data(), top_k_, items);
    std::copy_n(top_scores_.data(), top_k_, scores);
  }

 private:
  Onnx(Owned<OrtSession> session, int threads)
      : session_(std::move(session)), threads_(threads), widths_(widths(session_.get())) {}

  void step(
      int64_t method, const float* state, const Tensor<int64_t>& items, int64_t count,
      float* after) {
    OrtValue* outputs[] = {new_state_.value()};
    run(method, state, items, count, kOutputs, outputs, 1);
    std::copy_n(new_state_.data(), size_, after);
  }

  void run(
      int64_t method, const float* state, const Tensor<int64_t>& items, int64_t count,
      const char* const* names, OrtValue** outputs, size_t output_count) {
    *method_.data() = method;
    *count_.data() = count;
    std::copy_n(state, size_, state_.data());
    const OrtValue* const inputs[] = {
        method_.value(), state_.value(), items.value(), count_.value(), no_filter_.value()};
    check(ort().Run(
        session_.get(), nullptr, kInputs, inputs, std::size(kInputs), names, output_count,
        outputs));
  }

  Owned<OrtSession> session_;
  int64_t threads_;
  std::vector<int64_t> widths_;
  int64_t size_ = widths_[1];
  int64_t top_k_ = widths_[6];
  Tensor<int64_t> method_{{kAppend}, true};
  Tensor<int64_t> count_{{1}, true};
  Tensor<int64_t> one_item_{{0}};
  Tensor<int64_t> items_{{0}};
  Tensor<float> no_filter_{{0}};  // one zero stands for all rows
  Tensor<float> state_{std::vector<float>(static_cast<size_t>(size_))};
  Tensor<float> new_state_{std::vector<float>(static_cast<size_t>(size_))};
  Tensor<int64_t> top_items_{std::vector<int64_t>(static_cast<size_t>(top_k_))};
  Tensor<float> top_scores_{std::vector<float>(static_cast<size_t>(top_k_))};
};

}  // namespace

std::unique_ptr<Runtime> load(const std::string& path, int threads) {
  try {
    return std::make_unique<Onnx>(path, threads);
  } catch (const Error& error) {
    throw Error("ONNX Runtime refuses " + path + " (" + error.what() + "); export it again");
  }
}

}  // namespace glint
