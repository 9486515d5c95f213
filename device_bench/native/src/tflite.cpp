// A `.tflite` on LiteRT, compiled for the CPU: one signature a method.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <vector>

#include "litert_c.h"
#include "runtime.h"

namespace glint {
namespace {

constexpr char kIdentifier[] = "TFL3";

void check(LiteRtStatus status, const char* what) {
  if (status != 0) throw Error(std::string(what) + " gives status " + std::to_string(status));
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

template <typename T, typename Make>
Owned<T> make(const char* what, void (*destroy)(T*), Make make) {
  T* made = nullptr;
  check(make(&made), what);
  return Owned<T>(made, destroy);
}

// Kept from load to load, as in an app: a process has one.
LiteRtEnvironmentT* environment() {
  static const auto made = make<LiteRtEnvironmentT>(
      "its environment", LiteRtDestroyEnvironment,
      [](auto** out) { return LiteRtCreateEnvironment(0, nullptr, out); });
  return made.get();
}

Owned<LiteRtModelT> open(const std::string& path) {
  char head[8] = {};
  std::ifstream(path, std::ios::binary).read(head, sizeof head);
  if (std::memcmp(head + 4, kIdentifier, 4) != 0) throw Error("it is no TFLite file");
  return make<LiteRtModelT>("reading it", LiteRtDestroyModel, [&](auto** out) {
    return LiteRtCreateModelFromFile(environment(), path.c_str(), out);
  });
}

Owned<LiteRtCompiledModelT> compile(LiteRtModelT* model, int threads) {
  const auto options =
      make<LiteRtOptionsT>("its options", LiteRtDestroyOptions, LiteRtCreateOptions);
  check(LiteRtSetOptionsHardwareAccelerators(options.get(), kLiteRtCpu), "choosing the CPU");
  // TOML, as litert/c/options/litert_cpu_options.cc writes it; freed by LiteRT.
  char* const payload = strdup(("num_threads = " + std::to_string(threads) + "\n").c_str());
  LiteRtOpaqueOptionsT* cpu = nullptr;
  check(LiteRtCreateOpaqueOptions(kLiteRtCpuOptions, payload, std::free, &cpu), "its options");
  check(LiteRtAddOpaqueOptions(options.get(), cpu), "its options");
  return make<LiteRtCompiledModelT>("compiling it", LiteRtDestroyCompiledModel, [&](auto** out) {
    return LiteRtCreateCompiledModel(environment(), model, options.get(), out);
  });
}

// An input or an output in memory of ours.
class Buffer {
 public:
  explicit Buffer(const LiteRtRankedTensorType& type) : type_(type) {
    size_t count = 1;
    for (unsigned n = 0; n < type.rank; ++n) count *= static_cast<size_t>(type.dimensions[n]);
    const size_t bytes = count * (type.element_type == kLiteRtInt64 ? 8 : 4);
    const size_t whole = (bytes + kLiteRtAlignment - 1) / kLiteRtAlignment * kLiteRtAlignment;
    memory_.reset(std::aligned_alloc(kLiteRtAlignment, whole));
    if (memory_ == nullptr) throw std::bad_alloc();
    std::memset(memory_.get(), 0, whole);
    buffer_ = make<LiteRtTensorBufferT>("a buffer", LiteRtDestroyTensorBuffer, [&](auto** out) {
      return LiteRtCreateTensorBufferFromHostMemory(&type_, memory_.get(), bytes, nullptr, out);
    });
  }

  LiteRtTensorBufferT* get() const { return buffer_.get(); }
  int64_t width() const { return type_.rank == 0 ? 0 : type_.dimensions[type_.rank - 1]; }

  // Its values, which must be of the type that a stream program has there.
  template <typename T>
  T* data() const {
    constexpr int expected = std::is_same_v<T, float> ? kLiteRtFloat32 : kLiteRtInt32;
    if (type_.element_type != expected) throw Error("a tensor is of another type");
    return static_cast<T*>(memory_.get());
  }

 private:
  LiteRtRankedTensorType type_;
  std::unique_ptr<void, void (*)(void*)> memory_{nullptr, std::free};
  Owned<LiteRtTensorBufferT> buffer_{nullptr, LiteRtDestroyTensorBuffer};
};

using Names = std::initializer_list<const char*>;

// How a signature's inputs, or its outputs, are looked at.
struct Side {
  LiteRtStatus (*count)(LiteRtSignatureT*, size_t*);
  LiteRtStatus (*name)(LiteRtSignatureT*, size_t, const char**);
  LiteRtStatus (*tensor)(LiteRtSignatureT*, size_t, LiteRtTensorT**);
};
constexpr Side kInputSide{
    LiteRtGetNumSignatureInputs, LiteRtGetSignatureInputName,
    LiteRtGetSignatureInputTensorByIndex};
constexpr Side kOutputSide{
    LiteRtGetNumSignatureOutputs, LiteRtGetSignatureOutputName,
    LiteRtGetSignatureOutputTensorByIndex};

// Buffers by their place in our names, and their handles in the file's own order.
struct Ports {
  Ports(LiteRtSignatureT* signature, const Side& side, Names names)
      : buffers(names.size()), handles(names.size()) {
    size_t count = 0;
    check(side.count(signature, &count), "reading it");
    if (count != names.size()) throw Error("a signature has other tensors");
    for (size_t n = 0; n < count; ++n) {
      const char* name = nullptr;
      LiteRtTensorT* tensor = nullptr;
      LiteRtRankedTensorType type{};
      check(side.name(signature, n, &name), "reading it");
      check(side.tensor(signature, n, &tensor), "reading it");
      check(LiteRtGetRankedTensorType(tensor, &type), "reading it");
      const auto found = std::find(names.begin(), names.end(), std::string(name));
      if (found == names.end()) throw Error("it has an unknown tensor, " + std::string(name));
      auto& buffer = buffers[static_cast<size_t>(found - names.begin())];
      buffer = std::make_unique<Buffer>(type);
      handles[n] = buffer->get();
    }
  }

  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<LiteRtTensorBufferT*> handles;
};

size_t find_signature(LiteRtModelT* model, const char* key) {
  size_t count = 0;
  check(LiteRtGetNumModelSignatures(model, &count), "reading it");
  for (size_t index = 0; index < count; ++index) {
    LiteRtSignatureT* signature = nullptr;
    const char* name = nullptr;
    check(LiteRtGetModelSignature(model, index, &signature), "reading it");
    check(LiteRtGetSignatureKey(signature, &name), "reading it");
    if (std::strcmp(name, key) == 0) return index;
  }
  throw Error(std::string("it has no signature ") + key);
}

LiteRtSignatureT* signature_at(LiteRtModelT* model, size_t index) {
  LiteRtSignatureT* signature = nullptr;
  check(LiteRtGetModelSignature(model, index, &signature), "reading it");
  return signature;
}

// One method: set its inputs, run it, read its outputs.
class Stage {
 public:
  Stage(LiteRtModelT* model, const char* key, Names inputs, Names outputs)
      : index_(find_signature(model, key)),
        inputs_(signature_at(model, index_), kInputSide, inputs),
        outputs_(signature_at(model, index_), kOutputSide, outputs) {}

  const Buffer& input(size_t n) const { return *inputs_.buffers.at(n); }
  const Buffer& output(size_t n) const { return *outputs_.buffers.at(n); }

  void run(LiteRtCompiledModelT* model) {
    check(LiteRtRunCompiledModel(model, index_, inputs_.handles.size(), inputs_.handles.data(),
                                 outputs_.handles.size(), outputs_.handles.data()),
          "running it");
  }

 private:
  size_t index_;
  Ports inputs_, outputs_;
};

// Ids are int32 here; what lies beyond is unknown either way.
int32_t narrow(int64_t item) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  return static_cast<int32_t>(std::clamp<int64_t>(item, -1, most));
}

class Tflite final : public Runtime {
 public:
  Tflite(const std::string& path, int threads)
      : threads_(threads),
        model_(open(path)),
        append_(model_.get(), "append", {"state", "item"}, {"new_state"}),
        append_many_(model_.get(), "append_many", {"state", "items", "count"}, {"new_state"}),
        // The bias stays as it was made: zeros, no filter.
        recommend_(model_.get(), "recommend", {"state", "bias"}, {"top_items", "top_scores"}),
        compiled_(compile(model_.get(), threads)) {
    const int64_t size = state_size();
    if (size <= 0 || append_.output(0).width() != size || append_many_.input(0).width() != size ||
        append_many_.output(0).width() != size || recommend_.input(0).width() != size ||
        recommend_.output(1).width() != top_k() || append_many_.input(1).width() <= 0) {
      throw Error("its methods do not fit together");
    }
  }

  int64_t state_size() const override { return append_.input(0).width(); }
  int64_t top_k() const override { return recommend_.output(0).width(); }
  int64_t threads() const override { return threads_; }

  void append(const float* state, int64_t item, float* after) override {
    *append_.input(1).data<int32_t>() = narrow(item);
    step(append_, state, after);
  }

  void append_many(
      const float* state, const int64_t* items, int64_t count, float* after) override {
    if (after != state) std::copy_n(state, state_size(), after);
    const int64_t size = append_many_.input(1).width();
    int32_t* const chunk = append_many_.input(1).data<int32_t>();
    for (int64_t start = 0; start < count; start += size) {
      const int64_t used = std::min(size, count - start);
      std::fill(std::transform(items + start, items + start + used, chunk, narrow),
                chunk + size, 0);
      *append_many_.input(2).data<int32_t>() = static_cast<int32_t>(used);
      step(append_many_, after, after);
    }
  }

  void recommend(const float* state, int64_t* items, float* scores) override {
    std::copy_n(state, state_size(), recommend_.input(0).data<float>());
    recommend_.run(compiled_.get());
    std::copy_n(recommend_.output(0).data<int32_t>(), top_k(), items);
    std::copy_n(recommend_.output(1).data<float>(), top_k(), scores);
  }

 private:
  void step(Stage& stage, const float* state, float* after) {
    std::copy_n(state, state_size(), stage.input(0).data<float>());
    stage.run(compiled_.get());
    std::copy_n(stage.output(0).data<float>(), state_size(), after);
  }

  int64_t threads_;
  Owned<LiteRtModelT> model_;
  Stage append_, append_many_, recommend_;
  Owned<LiteRtCompiledModelT> compiled_;
};

}  // namespace

std::unique_ptr<Runtime> load(const std::string& path, int threads) {
  try {
    return std::make_unique<Tflite>(path, threads);
  } catch (const Error& error) {
    throw Error("LiteRT refuses " + path + " (" + error.what() + "); export it again");
  }
}

}  // namespace glint
