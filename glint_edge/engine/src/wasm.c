/* The kernels of WebAssembly with its SIMD of 128 bits. */
#include "internal.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define NAMED(name) name##_wasm_simd
#define GLINT_NAME "wasm-simd"
#define GLINT_WIDTH 4
#define GLINT_TILE 2
#define GLINT_OFFSET 0
#define MAX(a, b) wasm_f32x4_pmax((v128_t)(b), (v128_t)(a))
#define MIN(a, b) wasm_f32x4_pmin((v128_t)(b), (v128_t)(a))

/* Even and odd columns apart: two products of at most 128 · 127 fit into 16 bits. */
#define EVEN(x) wasm_i16x8_shr(wasm_i16x8_shl(x, 8), 8)
#define ODD(x) wasm_i16x8_shr(x, 8)
#define DOT(sum, w, q) ((sum) + (ints)products(wasm_v128_load(w), wasm_v128_load32_splat(q)))
static inline v128_t products(v128_t w, v128_t q) {
    const v128_t even = wasm_i16x8_mul(EVEN(w), EVEN(q));
    return wasm_i32x4_extadd_pairwise_i16x8(wasm_i16x8_add(even, wasm_i16x8_mul(ODD(w), ODD(q))));
}

#define NARROW(y, x) narrow(y, (v128_t)(x))
static inline void narrow(int8_t *y, v128_t x) {
    const v128_t pairs = wasm_i16x8_narrow_i32x4(x, x);
    wasm_v128_store32_lane(y, wasm_i8x16_narrow_i16x8(pairs, pairs), 0);
}
#include "kernels.h"
#endif
