/* The kernels in C alone: what all others must equal, and what runs anywhere. */
#include "internal.h"

#define GLINT_NAME "portable"
#define GLINT_SUFFIX _portable
#define GLINT_WIDTH 4
#define GLINT_TILE 1
#define GLINT_OFFSET 0
#include "lanes.h"

/* Four columns of a row are an integer, of a little-endian processor: shifts take them apart. */
INLINE isums dot(isums sum, const int8_t *w, const int8_t *q) {
    EACH(ipart four;
         __builtin_memcpy(&four, w + e * (int)sizeof four, sizeof four);
         const wpart bits = (wpart)four;
         sum.at[e] += ((ipart)(bits << 24) >> 24) * q[0] + ((ipart)(bits << 16) >> 24) * q[1]
                      + ((ipart)(bits << 8) >> 24) * q[2] + (four >> 24) * q[3])
    return sum;
}

INLINE void narrow(ints x, int8_t *y) {
    for (int i = 0; i < LANES; i++) y[i] = (int8_t)x[i];
}

#include "matrices.h"
#include "float_kernels.h"
