/* The kernels of 64-bit Arm: NEON, with dot products (Cortex-A55, A76 and later) and without. */
#include "internal.h"

#if defined(__aarch64__) && defined(__GNUC__)
#include <arm_neon.h>

#if defined(__clang__)
#define BEGIN_DOT                                                                                 \
    _Pragma("clang attribute push(__attribute__((target(\"dotprod\"))), apply_to = function)")
#define END_DOT _Pragma("clang attribute pop")
#else
#define BEGIN_DOT _Pragma("GCC push_options") _Pragma("GCC target(\"arch=armv8.2-a+dotprod\")")
#define END_DOT _Pragma("GCC pop_options")
#endif

/* A group of q four times; the low bytes of 16 integers. */
#define FOUR(q, four) (__builtin_memcpy(&four, q, GROUP), vreinterpretq_s8_s32(vdupq_n_s32(four)))
#define NARROW                                                                                    \
    INLINE void narrow(ints x, int8_t *y) {                                                       \
        const iparts of = {x};                                                                    \
        const int16x8_t a = vuzp1q_s16((int16x8_t)of.at[0], (int16x8_t)of.at[1]);                 \
        const int16x8_t b = vuzp1q_s16((int16x8_t)of.at[2], (int16x8_t)of.at[3]);                 \
        vst1q_s8(y, vuzp1q_s8((int8x16_t)a, (int8x16_t)b));                                       \
    }

#define GLINT_NAME "neon"
#define GLINT_SUFFIX _neon
#define GLINT_WIDTH 4
#define GLINT_TILE 4
#define GLINT_OFFSET 0
#include "lanes.h"

/* Two products of at most 128 · 127 fit into 16 bits. */
INLINE isums dot(isums sum, const int8_t *w, const int8_t *q) {
    int32_t four;
    const int8x16_t by = FOUR(q, four);
    EACH(const int8x16_t part = vld1q_s8(w + 16 * e);
         const int16x8_t low = vmull_s8(vget_low_s8(part), vget_low_s8(by));
         const int16x8_t pairs = vpaddq_s16(low, vmull_high_s8(part, by));
         sum.at[e] = (ipart)vpadalq_s16((int32x4_t)sum.at[e], pairs))
    return sum;
}

NARROW
#include "matrices.h"
#include "float_kernels.h"

BEGIN_DOT
#define GLINT_NAME "neon-dot"
#define GLINT_SUFFIX _neon_dot
#define GLINT_WIDTH 4
#define GLINT_TILE 4
#define GLINT_OFFSET 0
#include "lanes.h"

INLINE isums dot(isums sum, const int8_t *w, const int8_t *q) {
    int32_t four;
    const int8x16_t by = FOUR(q, four);
    EACH(sum.at[e] = (ipart)vdotq_s32((int32x4_t)sum.at[e], vld1q_s8(w + 16 * e), by))
    return sum;
}

NARROW
#include "matrices.h"
#include "float_kernels.h"
END_DOT
#endif
