// A loaded artifact: the stream's methods, on one runtime. Each runner links one of them.

#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace glint {

// What ends the run with one line in the result: a refused artifact, an unreadable file.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Not for several threads at once. States are `state_size()` floats; all zeros is no history.
class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual int64_t state_size() const = 0;
  virtual int64_t top_k() const = 0;
  // As the runtime itself counts them.
  virtual int64_t threads() const = 0;

  // One item further. `after` may be `state`, here and below.
  virtual void append(const float* state, int64_t item, float* after) = 0;

  // `count` items further, in as few calls as the artifact allows; `count` may be 0.
  virtual void append_many(
      const float* state, const int64_t* items, int64_t count, float* after) = 0;

  // `top_k()` items, best first, and their scores; without a filter.
  virtual void recommend(const float* state, int64_t* items, float* scores) = 0;
};

// Throws Error if the runtime refuses the file or it is no stream program.
std::unique_ptr<Runtime> load(const std::string& path, int threads);

}  // namespace glint
