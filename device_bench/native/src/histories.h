// What the runs are about: three groups of histories in one file, see `exchange.py`.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace glint {

// History u is `ids[offsets[u]] … ids[offsets[u + 1] - 1]`, oldest item first.
struct Histories {
  int64_t count = 0;
  const int64_t* offsets = nullptr;
  const int64_t* ids = nullptr;

  const int64_t* begin(int64_t number) const { return ids + offsets[number]; }
  int64_t length(int64_t number) const { return offsets[number + 1] - offsets[number]; }
};

// The file, mapped: pages that are not read take no memory.
class Inputs {
 public:
  // Throws Error if the file cannot be read or is not whole.
  explicit Inputs(const std::string& path);
  ~Inputs();
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

  Histories sample;   // timed
  Histories golden;   // states and lists wanted
  Histories all;      // lists wanted

 private:
  Histories next_group(const std::string& path);

  const int64_t* words_ = nullptr;
  size_t size_ = 0;  // in words
  size_t used_ = 0;
};

}  // namespace glint
