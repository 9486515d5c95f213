/* The kernels of 64-bit Arm: NEON, with dot products (Cortex-A55, A76 and later) and without. */
#include "internal.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#if defined(__clang__)
#define BEGIN_DOT                                                                                 \
    _Pragma("clang attribute push(__attribute__((target(\"dotprod\"))), apply_to = function)")
#define END_DOT _Pragma("clang attribute pop")
#else
#define BEGIN_DOT _Pragma("GCC push_options") _Pragma("GCC target(\"arch=armv8.2-a+dotprod\")")
#define END_DOT _Pragma("GCC pop_options")
#endif

/* Two products of at most 128 · 127 fit into 16 bits. */
INLINE int16x8_t pairs(int8x16_t w, int8x16_t q) {
    return vpaddq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(q)), vmull_high_s8(w, q));
}

INLINE void narrow(int8_t *y, int32x4_t x) {
    const int16x4_t low = vqmovn_s32(x);
    const int32x2_t bytes = vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(low, low)));
    __builtin_memcpy(y, &bytes, GROUP);
}

#define FOUR(q) vreinterpretq_s8_s32(vdupq_n_s32(four_at(q)))

#define NAMED(name) name##_neon
#define GLINT_NAME "neon"
#define GLINT_WIDTH 4
#define GLINT_TILE 4
#define GLINT_OFFSET 0
#define DOT(sum, w, q) vpadalq_s16((int32x4_t)(sum), pairs(vld1q_s8(w), FOUR(q)))
#define NARROW(y, x) narrow(y, (int32x4_t)(x))
#include "kernels.h"

BEGIN_DOT
#define NAMED(name) name##_neon_dot
#define GLINT_NAME "neon-dot"
#define GLINT_WIDTH 4
#define GLINT_TILE 4
#define GLINT_OFFSET 0
#define DOT(sum, w, q) vdotq_s32((int32x4_t)(sum), vld1q_s8(w), FOUR(q))
#define NARROW(y, x) narrow(y, (int32x4_t)(x))
#include "kernels.h"
END_DOT
#endif
