#include "process.h"

#include <sched.h>

#include <cstdio>
#include <cstring>

namespace glint {
namespace {

// A size of /proc/self/status, such as `VmHWM:   12345 kB`.
std::optional<int64_t> status(const char* name) {
  std::FILE* const file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return std::nullopt;
  std::optional<int64_t> found;
  char line[256];
  const size_t length = std::strlen(name);
  while (!found && std::fgets(line, sizeof line, file) != nullptr) {
    long long kilobytes = 0;
    if (std::strncmp(line, name, length) == 0 && line[length] == ':' &&
        std::sscanf(line + length + 1, "%lld", &kilobytes) == 1) {
      found = kilobytes * 1024;
    }
  }
  std::fclose(file);
  return found;
}

}  // namespace

std::optional<int64_t> resident_memory() { return status("VmRSS"); }
std::optional<int64_t> peak_memory() { return status("VmHWM"); }

void pin(int threads) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (int cpu = CPU_SETSIZE - 1, left = threads; cpu >= 0 && left > 0; --cpu) {
    if (CPU_ISSET(cpu, &allowed)) {
      CPU_SET(cpu, &chosen);
      --left;
    }
  }
  // Refused at worst; then the system's choice stands.
  (void)sched_setaffinity(0, sizeof chosen, &chosen);
}

}  // namespace glint
