#include "mapped_file.h"

#include <cstdint>
#include <fstream>
#include <string>
#include <system_error>

#include "glint_edge/recommender.h"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace glint_edge {
namespace {

constexpr std::uintptr_t kAlignment = 64;

#if defined(_WIN32)
const void* map(const std::filesystem::path&, std::size_t) { return nullptr; }
void unmap(const void*, std::size_t) {}
#else
const void* map(const std::filesystem::path& file, std::size_t size) {
  const int opened = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return nullptr;
  void* const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, opened, 0);
  close(opened);
  return bytes == MAP_FAILED ? nullptr : bytes;
}

void unmap(const void* bytes, std::size_t size) { munmap(const_cast<void*>(bytes), size); }
#endif

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& file) {
  std::error_code reason;
  size_ = static_cast<std::size_t>(std::filesystem::file_size(file, reason));
  if (!reason) bytes_ = map(file, size_);
  if (bytes_ != nullptr) return;
  std::ifstream stream(file, std::ios::binary);
  if (!reason) read_.resize(size_ + kAlignment);
  const auto at = reinterpret_cast<std::uintptr_t>(read_.data());
  char* const start = read_.data() + (kAlignment - at % kAlignment) % kAlignment;
  if (reason || !stream.read(start, static_cast<std::streamsize>(size_))) {
    throw Error(file.string() + " cannot be read; copy the bundle again");
  }
  bytes_ = start;
}

MappedFile::~MappedFile() {
  if (read_.empty()) unmap(bytes_, size_);
}

}  // namespace glint_edge
