// Marks for an instruction counter outside (qemu/count.c); the C of it takes the number alone.

#pragma once

#define GLINT_MARK 0x676c6e74  // "glnt": no option of prctl

#ifdef __cplusplus
#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace glint {

// A system call that is refused at once. For untimed calls alone.
inline void mark(unsigned long number) {
#ifdef __linux__
  (void)prctl(GLINT_MARK, number, 0UL, 0UL, 0UL);
#else
  (void)number;
#endif
}

}  // namespace glint
#endif
