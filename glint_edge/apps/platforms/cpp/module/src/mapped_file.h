// A file's bytes, as they lie on the disk: mapped into memory where the system can, else read.

#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace glint_edge {

class MappedFile {
 public:
  // Throws Error if it cannot be read.
  explicit MappedFile(const std::filesystem::path& file);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // At a multiple of 64.
  const void* bytes() const { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  const void* bytes_ = nullptr;
  std::size_t size_;
  std::vector<char> read_;  // empty: it is mapped
};

}  // namespace glint_edge
