// A `.pte` on ExecuTorch, by its `Method`s: the file is mapped, and there is no memory but what
// each method planned.

#include <executorch/extension/data_loader/mmap_data_loader.h>
#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/portable_type/tensor_impl.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "runtime.h"

namespace executorch::extension::threadpool {

// The pool that XNNPACK takes its threads from. The wheel's library exports it, but this header
// (extension/threadpool/threadpool.h) is not among those that the wheel ships.
class ThreadPool {
 public:
  size_t get_thread_count() const;
  bool _unsafe_reset_threadpool(uint32_t num_threads);
};
ThreadPool* get_threadpool();

}  // namespace executorch::extension::threadpool

namespace glint {
namespace {

using executorch::aten::DimOrderType;
using executorch::aten::SizesType;
using executorch::aten::Tensor;
using executorch::aten::TensorImpl;
using executorch::extension::MmapDataLoader;
using executorch::extension::MallocMemoryAllocator;
using executorch::extension::threadpool::get_threadpool;
using executorch::runtime::BackendOptions;
using executorch::runtime::EValue;
using executorch::runtime::HierarchicalAllocator;
using executorch::runtime::MemoryManager;
using executorch::runtime::Method;
using executorch::runtime::MethodMeta;
using executorch::runtime::Program;
using executorch::runtime::Result;
using executorch::runtime::Span;
using executorch::runtime::TensorInfo;

// What ExecuTorch last logged as an error: an error code alone does not say what was wrong.
std::string& last_log() {
  static std::string text;
  return text;
}

void keep_log(
    et_timestamp_t, et_pal_log_level_t level, const char*, const char*, size_t,
    const char* message, size_t length) {
  if (level == kError || level == kFatal) last_log().assign(message, length);
}

void check(executorch::runtime::Error error) {
  if (error != executorch::runtime::Error::Ok) {
    throw Error(last_log().empty() ? to_string(error) : last_log());
  }
}

template <typename T>
T& checked(Result<T>& result) {
  check(result.error());
  return *result;
}

template <typename T>
T checked(Result<T>&& result) {
  check(result.error());
  return std::move(*result);
}

// One packed copy of the weights that several methods use, instead of one each: a third of what a
// loaded model takes. The keys are those of backends/xnnpack/runtime/XNNPACKBackend.h, which the
// wheel does not ship.
void share_weights() {
  BackendOptions<1> options;
  check(options.set_option("weight_cache_enabled", true));
  check(executorch::runtime::set_option("XnnpackBackend", options.view()));
}

// An input tensor that borrows the caller's memory for the time of a call.
class Input {
 public:
  explicit Input(const TensorInfo& info)
      : sizes_(info.sizes().begin(), info.sizes().end()),
        order_(info.dim_order().begin(), info.dim_order().end()),
        impl_(info.scalar_type(), static_cast<ssize_t>(sizes_.size()), sizes_.data(), nullptr,
              order_.data()) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  int64_t width() const { return sizes_.empty() ? 0 : sizes_.back(); }

  EValue at(const void* data) {
    impl_.set_data(const_cast<void*>(data));  // it is read, or copied from
    return EValue(Tensor(&impl_));
  }

 private:
  std::vector<SizesType> sizes_;
  std::vector<DimOrderType> order_;
  TensorImpl impl_;
};

// The memory a method planned for its tensors.
class Planned {
 public:
  explicit Planned(const MethodMeta& meta) {
    for (size_t index = 0; index < meta.num_memory_planned_buffers(); ++index) {
      const auto bytes = static_cast<size_t>(checked(meta.memory_planned_buffer_size(index)));
      // Not initialized: what a call does not touch is never resident.
      buffers_.emplace_back(new uint8_t[bytes]);
      spans_.emplace_back(buffers_.back().get(), bytes);
    }
  }

  Span<Span<uint8_t>> spans() { return {spans_.data(), spans_.size()}; }

 private:
  std::vector<std::unique_ptr<uint8_t[]>> buffers_;
  std::vector<Span<uint8_t>> spans_;
};

// One method with its inputs. Outputs stay where the method has them until its next call.
class Stage {
 public:
  Stage(const Program& program, const char* name, size_t inputs, size_t outputs)
      : meta_(checked(program.method_meta(name))),
        planned_(meta_),
        allocator_(planned_.spans()),
        manager_(&own_, &allocator_, &temporary_) {
    if (meta_.num_inputs() != inputs || meta_.num_outputs() != outputs) {
      throw Error(std::string(name) + " has other inputs or outputs than a stream program's");
    }
    for (size_t index = 0; index < inputs; ++index) {
      inputs_.push_back(std::make_unique<Input>(checked(meta_.input_tensor_meta(index))));
    }
    method_.emplace(checked(program.load_method(name, &manager_)));
  }

  void operator()(std::initializer_list<const void*> values) {
    size_t index = 0;
    for (const void* const value : values) {
      check(method_->set_input(inputs_[index]->at(value), index));
      ++index;
    }
    check(method_->execute());
  }

  template <typename T>
  const T* output(size_t index) const {
    return method_->get_output(index).toTensor().const_data_ptr<T>();
  }

  int64_t input_width(size_t index) const { return inputs_[index]->width(); }

  int64_t output_width(size_t index) const {
    const TensorInfo info = checked(meta_.output_tensor_meta(index));
    return info.sizes().empty() ? 0 : info.sizes()[info.sizes().size() - 1];
  }

 private:
  MethodMeta meta_;
  Planned planned_;
  MallocMemoryAllocator own_;
  MallocMemoryAllocator temporary_;
  HierarchicalAllocator allocator_;
  MemoryManager manager_;
  std::vector<std::unique_ptr<Input>> inputs_;
  std::optional<Method> method_;
};

class Executorch final : public Runtime {
 public:
  explicit Executorch(const std::string& path)
      : loader_(checked(MmapDataLoader::from(path.c_str(), MmapDataLoader::MlockConfig::NoMlock))),
        program_(checked(Program::load(&loader_))),
        append_(program_, "append", 2, 1),
        append_many_(program_, "append_many", 3, 1),
        recommend_(program_, "recommend", 2, 2),
        chunk_(static_cast<size_t>(append_many_.input_width(1))),
        no_filter_(static_cast<size_t>(recommend_.input_width(1))) {
    const int64_t size = state_size();
    if (append_.output_width(0) != size || append_many_.input_width(0) != size ||
        append_many_.output_width(0) != size || recommend_.input_width(0) != size ||
        recommend_.output_width(1) != top_k() || chunk_.empty()) {
      throw Error("its methods do not fit together");
    }
  }

  int64_t state_size() const override { return append_.input_width(0); }
  int64_t top_k() const override { return recommend_.output_width(0); }
  int64_t threads() const override {
    return static_cast<int64_t>(get_threadpool()->get_thread_count());
  }

  void append(const float* state, int64_t item, float* after) override {
    append_({state, &item});
    copy_state(append_, after);
  }

  void append_many(
      const float* state, const int64_t* items, int64_t count, float* after) override {
    if (after != state) std::copy_n(state, state_size(), after);
    const auto size = static_cast<int64_t>(chunk_.size());
    for (int64_t start = 0; start < count; start += size) {
      const int64_t used = std::min(size, count - start);
      std::fill(std::copy_n(items + start, used, chunk_.begin()), chunk_.end(), 0);
      append_many_({after, chunk_.data(), &used});
      copy_state(append_many_, after);
    }
  }

  void recommend(const float* state, int64_t* items, float* scores) override {
    recommend_({state, no_filter_.data()});
    std::copy_n(recommend_.output<int64_t>(0), top_k(), items);
    std::copy_n(recommend_.output<float>(1), top_k(), scores);
  }

 private:
  void copy_state(const Stage& stage, float* after) const {
    std::copy_n(stage.output<float>(0), state_size(), after);
  }

  MmapDataLoader loader_;
  Program program_;
  Stage append_, append_many_, recommend_;
  std::vector<int64_t> chunk_;
  std::vector<float> no_filter_;  // zeros, one a row of the table
};

}  // namespace

std::unique_ptr<Runtime> load(const std::string& path, int threads) {
  executorch::runtime::runtime_init();
  executorch::runtime::register_pal(
      executorch::runtime::PalImpl::create(keep_log, __FILE__));
  last_log().clear();
  // "Unsafe" while a method runs, so it comes before any is loaded.
  get_threadpool()->_unsafe_reset_threadpool(static_cast<uint32_t>(threads));
  try {
    share_weights();
    return std::make_unique<Executorch>(path);
  } catch (const Error& error) {
    throw Error("ExecuTorch refuses " + path + " (" + error.what() + "); export it again");
  }
}

}  // namespace glint
