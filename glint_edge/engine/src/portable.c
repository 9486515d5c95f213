/* The kernels in C alone: what all others must equal, and what runs anywhere. */
#include "internal.h"

#define GLINT_SUFFIX _portable
#define GLINT_WIDTH 1
#include "lanes.h"

/* Sums are taken modulo 2³², as every processor does: a damaged file's may run over. */
static void linear_int8_portable(const glint_layer *layer, size_t first, size_t blocks,
                                 const int8_t *q, size_t q_stride, const glint_step *steps,
                                 size_t n, float *y, size_t y_stride) {
    const size_t size = (size_t)layer->groups * BLOCK * GROUP;
    for (size_t block = 0; block < blocks; block++) {
        const int8_t *weights = (const int8_t *)layer->weights + (first + block) * size;
        const size_t at = (first + block) * BLOCK;
        for (size_t row = 0; row < n; row++) {
            const int8_t *in = q + row * q_stride, *w = weights;
            uint32_t sum[BLOCK];
            for (int r = 0; r < BLOCK; r++)
                sum[r] = 0u - (uint32_t)layer->sum[at + (size_t)r] * (uint32_t)steps[row].zero;
            for (size_t group = 0; group < layer->groups; group++, in += GROUP, w += BLOCK * GROUP)
                for (int r = 0; r < BLOCK; r++)
                    for (int c = 0; c < GROUP; c++)
                        sum[r] += (uint32_t)(w[r * GROUP + c] * in[c]);
            for (int r = 0; r < BLOCK; r++)
                y[row * y_stride + block * BLOCK + (size_t)r] =
                    (float)(int32_t)sum[r] * layer->scale[at + (size_t)r] * steps[row].step
                    + layer->bias[at + (size_t)r];
        }
    }
}

#include "float_kernels.h"

const glint_kernels glint_portable = GLINT_KERNELS("portable");
#undef GLINT_SUFFIX
#undef GLINT_WIDTH
