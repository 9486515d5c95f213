#include "histories.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime.h"

namespace glint {

Inputs::Inputs(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) {
    throw Error("cannot read the inputs " + path);
  }
  size_ = static_cast<size_t>(status.st_size) / sizeof(int64_t);
  void* const mapped =
      size_ == 0 ? MAP_FAILED : mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (mapped == MAP_FAILED) {
    throw Error("cannot map the inputs " + path);
  }
  words_ = static_cast<const int64_t*>(mapped);
  sample = next_group(path);
  golden = next_group(path);
  all = next_group(path);
}

Inputs::~Inputs() { munmap(const_cast<int64_t*>(words_), size_ * sizeof(int64_t)); }

Histories Inputs::next_group(const std::string& path) {
  const Error truncated("the inputs " + path + " are truncated or damaged");
  const auto left = [this] { return static_cast<int64_t>(size_ - used_); };
  Histories group;
  if (left() < 1) throw truncated;
  group.count = words_[used_++];
  if (group.count < 0 || group.count >= left()) throw truncated;
  group.offsets = words_ + used_;
  used_ += static_cast<size_t>(group.count) + 1;
  group.ids = words_ + used_;
  if (group.offsets[0] != 0) throw truncated;
  for (int64_t number = 0; number < group.count; ++number) {
    if (group.length(number) < 0) throw truncated;
  }
  const int64_t ids = group.offsets[group.count];
  if (ids > left()) throw truncated;
  used_ += static_cast<size_t>(ids);
  return group;
}

}  // namespace glint
