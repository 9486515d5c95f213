// This process, as the operating system sees it.

#pragma once

#include <cstdint>
#include <optional>

namespace glint {

// Resident bytes, of the whole process: program, libraries, model. None where the system does not
// tell (it does on Linux and Android).
std::optional<int64_t> resident_memory();
std::optional<int64_t> peak_memory();

// As many CPUs as threads, the last ones: the first serve interrupts, and on phones the last are
// the fast ones. Where the system refuses, the process stays where it is.
void pin(int threads);

}  // namespace glint
