/* The kernels of WebAssembly with its SIMD of 128 bits. */
#include "internal.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define GLINT_NAME "wasm-simd"
#define GLINT_SUFFIX _wasm_simd
#define GLINT_WIDTH 4
#define GLINT_TILE 2
#define GLINT_OFFSET 0
#define PART_MAX(a, b) (fpart)wasm_f32x4_pmax((v128_t)(b), (v128_t)(a))
#define PART_MIN(a, b) (fpart)wasm_f32x4_pmin((v128_t)(b), (v128_t)(a))
#include "lanes.h"

/* Even and odd columns apart: two products of at most 128 · 127 fit into 16 bits. */
#define EVEN(x) wasm_i16x8_shr(wasm_i16x8_shl(x, 8), 8)
#define ODD(x) wasm_i16x8_shr(x, 8)

INLINE isums dot(isums sum, const int8_t *w, const int8_t *q) {
    const v128_t by = wasm_v128_load32_splat(q);
    EACH(const v128_t part = wasm_v128_load(w + 16 * e);
         const v128_t even = wasm_i16x8_mul(EVEN(part), EVEN(by));
         const v128_t pairs = wasm_i16x8_add(even, wasm_i16x8_mul(ODD(part), ODD(by)));
         sum.at[e] += (ipart)wasm_i32x4_extadd_pairwise_i16x8(pairs))
    return sum;
}

INLINE void narrow(ints x, int8_t *y) {
    const iparts of = {x};
    const v128_t a = wasm_i16x8_narrow_i32x4((v128_t)of.at[0], (v128_t)of.at[1]);
    const v128_t b = wasm_i16x8_narrow_i32x4((v128_t)of.at[2], (v128_t)of.at[3]);
    wasm_v128_store(y, wasm_i8x16_narrow_i16x8(a, b));
}

#include "matrices.h"
#include "float_kernels.h"
#endif
