/* Which sets of kernels are in this build and run on this processor. */
#include "internal.h"

const glint_kernels *glint_kernels_at(size_t number) {
    const glint_kernels *sets[8];
    size_t count = 0;
    sets[count++] = &glint_portable;
    return number < count ? sets[number] : NULL;
}
