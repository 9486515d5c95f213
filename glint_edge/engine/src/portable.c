/* The kernels in C alone: what all others must equal, and what runs anywhere. */
#include "internal.h"

#define NAMED(name) name##_portable
#define GLINT_NAME "portable"
#define GLINT_WIDTH 4
#define GLINT_TILE 2
#define GLINT_OFFSET 0
#define DOT(sum, w, q) ((sum) + (ints)column_products((shorts)i_get(w), (shorts)i_all(four_at(q))))
#define NARROW(y, x)                                                                              \
    for (int lane = 0; lane < GLINT_WIDTH; lane++)                                                \
        (y)[lane] = (int8_t)((x)[lane] < -128 ? -128 : (x)[lane] > 127 ? 127 : (x)[lane])

typedef int16_t shorts __attribute__((vector_size(16)));
typedef uint16_t fields __attribute__((vector_size(16)));
typedef int32_t sums __attribute__((vector_size(16)));
typedef uint32_t bits __attribute__((vector_size(16)));

/* Even and odd columns apart: two products of at most 128 · 127 fit into 16 bits. */
INLINE shorts even(shorts x) { return (shorts)((fields)x << 8) >> 8; }
INLINE sums column_products(shorts w, shorts q) {
    const shorts both = even(w) * even(q) + (w >> 8) * (q >> 8);
    return ((sums)((bits)both << 16) >> 16) + ((sums)both >> 16);
}

#include "kernels.h"
