// Writing a file so that a full disk is told.

#pragma once

#include <cstdio>
#include <string>

#include "runtime.h"

namespace glint {

// A file that is whole when `close` returns.
class Output {
 public:
  explicit Output(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
    if (file_ == nullptr) throw Error("cannot write " + path_);
  }
  ~Output() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  template <typename T>
  void write(const T* values, size_t count) {
    if (std::fwrite(values, sizeof(T), count, file_) != count) full();
  }

  void close() {
    std::FILE* const file = file_;
    file_ = nullptr;
    if (std::fclose(file) != 0) full();
  }

 private:
  [[noreturn]] void full() const { throw Error("cannot write " + path_ + "; is the disk full?"); }

  std::string path_;
  std::FILE* file_;
};

}  // namespace glint
