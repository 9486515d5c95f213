// A `.glnt` on the engine (glint_edge/engine): the file is mapped, and nothing of it is copied.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "glint.h"
#include "runtime.h"

namespace glint {
namespace {

constexpr size_t kHead = 64, kTopKAt = 56;  // docs/engine.md

// A file's bytes, as long as this lives.
class Mapped {
 public:
  explicit Mapped(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY);
    struct stat about = {};
    if (file < 0 || fstat(file, &about) != 0) throw Error("it cannot be read");
    size_ = static_cast<size_t>(about.st_size);
    data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (data_ == MAP_FAILED) throw Error("it cannot be mapped");
  }
  ~Mapped() { munmap(data_, size_); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  const char* data() const { return static_cast<const char*>(data_); }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

// What lies beyond is unknown either way.
int32_t narrow(int64_t item) {
  return static_cast<int32_t>(std::clamp<int64_t>(item, -1, INT32_MAX));
}

class Engine final : public Runtime {
 public:
  explicit Engine(const std::string& path) : file_(path) {
    const int error = glint_open(&model_, file_.data(), file_.size());
    if (error != GLINT_OK) throw Error("glint_open says " + std::to_string(error));
    static_assert(kTopKAt + sizeof top_k_ <= kHead);
    std::memcpy(&top_k_, file_.data() + kTopKAt, sizeof top_k_);
    if (top_k_ < 1 || static_cast<uint32_t>(top_k_) >= model_.rows) throw Error("its top-k");
    workspace_.resize(glint_workspace_bytes(&model_));
    listed_.resize(static_cast<size_t>(top_k_));
  }

  int64_t state_size() const override {
    return static_cast<int64_t>(glint_state_floats(&model_));
  }
  int64_t top_k() const override { return top_k_; }
  int64_t threads() const override { return 1; }

  void append(const float* state, int64_t item, float* after) override {
    if (after != state) std::copy_n(state, state_size(), after);
    glint_append(&model_, workspace_.data(), after, narrow(item));
  }

  void append_many(
      const float* state, const int64_t* items, int64_t count, float* after) override {
    if (after != state) std::copy_n(state, state_size(), after);
    ids_.resize(static_cast<size_t>(count));
    std::transform(items, items + count, ids_.begin(), narrow);
    glint_append_many(&model_, workspace_.data(), after, ids_.data(), ids_.size());
  }

  void recommend(const float* state, int64_t* items, float* scores) override {
    const int32_t count = glint_recommend(
        &model_, workspace_.data(), state, nullptr, top_k_, listed_.data(), scores);
    std::fill(std::copy_n(listed_.begin(), count, items), items + top_k_, 0);
  }

 private:
  Mapped file_;
  glint_model model_ = {};
  int32_t top_k_ = 0;
  std::vector<char> workspace_;
  std::vector<int32_t> ids_, listed_;
};

}  // namespace

std::unique_ptr<Runtime> load(const std::string& path, int) {
  try {
    return std::make_unique<Engine>(path);
  } catch (const Error& error) {
    throw Error("the engine refuses " + path + " (" + error.what() + "); export it again");
  }
}

}  // namespace glint
