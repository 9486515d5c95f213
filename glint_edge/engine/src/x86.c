/* The kernels of x86-64: AVX2; with AVX-VNNI; AVX-512 with VNNI. */
#include "internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#if defined(__clang__)
#define BEGIN(features) \
    PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END PRAGMA(clang attribute pop)
#else
#define BEGIN(features) PRAGMA(GCC push_options) PRAGMA(GCC target(features))
#define END PRAGMA(GCC pop_options)
#endif
#define PRAGMA(text) _Pragma(#text)

/* What stands at any address. */
#define AT_256(x) _mm256_loadu_si256((const __m256i *)(const void *)(x))
#define STORE_128(y, x) _mm_storeu_si128((__m128i *)(void *)(y), x)
#define FOUR_256(q, four) (__builtin_memcpy(&four, q, GROUP), _mm256_set1_epi32(four))

/* The low bytes of 16 integers. */
#define NARROW_256                                                                                \
    INLINE void narrow(ints x, int8_t *y) {                                                       \
        const __m256i byte = _mm256_set1_epi32(255);                                              \
        const iparts of = {x};                                                                    \
        const __m256i a = (__m256i)of.at[0] & byte, b = (__m256i)of.at[1] & byte;                 \
        const __m256i pairs = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8);          \
        STORE_128(y, _mm_packus_epi16(_mm256_castsi256_si128(pairs),                              \
                                      _mm256_extracti128_si256(pairs, 1)));                       \
    }

BEGIN("avx2")
#define GLINT_NAME "avx2"
#define GLINT_SUFFIX _avx2
#define GLINT_WIDTH 8
#define GLINT_TILE 4
#define GLINT_OFFSET 0
#define PART_MAX(a, b) (fpart)_mm256_max_ps((__m256)(a), (__m256)(b))
#define PART_MIN(a, b) (fpart)_mm256_min_ps((__m256)(a), (__m256)(b))
#include "lanes.h"

/* |q| times the weights with q's signs: two products of at most 128 · 127 fit into 16 bits. */
INLINE isums dot(isums sum, const int8_t *w, const int8_t *q) {
    int32_t four;
    const __m256i by = FOUR_256(q, four), size = _mm256_abs_epi8(by), one = _mm256_set1_epi16(1);
    EACH(const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(AT_256(w + 32 * e), by));
         sum.at[e] += (ipart)_mm256_madd_epi16(pairs, one))
    return sum;
}

NARROW_256
#include "matrices.h"
#include "float_kernels.h"
END

BEGIN("avx2,avxvnni")
#define GLINT_NAME "avx-vnni"
#define GLINT_SUFFIX _avx_vnni
#define GLINT_WIDTH 8
#define GLINT_TILE 4
#define GLINT_OFFSET 128  /* q without a sign */
#define PART_MAX(a, b) (fpart)_mm256_max_ps((__m256)(a), (__m256)(b))
#define PART_MIN(a, b) (fpart)_mm256_min_ps((__m256)(a), (__m256)(b))
#include "lanes.h"

INLINE isums dot(isums sum, const int8_t *w, const int8_t *q) {
    int32_t four;
    const __m256i by = FOUR_256(q, four);
    EACH(sum.at[e] = (ipart)_mm256_dpbusd_avx_epi32((__m256i)sum.at[e], by, AT_256(w + 32 * e)))
    return sum;
}

NARROW_256
#include "matrices.h"
#include "float_kernels.h"
END

BEGIN("avx2,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
#define GLINT_NAME "avx512-vnni"
#define GLINT_SUFFIX _avx512_vnni
#define GLINT_WIDTH 16
#define GLINT_TILE 16
#define GLINT_OFFSET 128
#define GLINT_OWN_KEEP
#define PART_MAX(a, b) (fpart)_mm512_max_ps((__m512)(a), (__m512)(b))
#define PART_MIN(a, b) (fpart)_mm512_min_ps((__m512)(a), (__m512)(b))
#include "lanes.h"

INLINE isums dot(isums sum, const int8_t *w, const int8_t *q) {
    int32_t four;
    __builtin_memcpy(&four, q, GROUP);
    sum.at[0] = (ipart)_mm512_dpbusd_epi32((__m512i)sum.at[0], _mm512_set1_epi32(four),
                                           _mm512_loadu_si512(w));
    return sum;
}

INLINE void narrow(ints x, int8_t *y) { STORE_128(y, _mm512_cvtepi32_epi8((__m512i)x)); }

INLINE size_t keep(ints mask, const int32_t *keys, const int32_t *ids, int32_t first,
                   int32_t *best, int32_t *best_ids) {
    const __mmask16 bits = _mm512_movepi32_mask((__m512i)mask);
    const ints id = ids ? i_load(ids) : NUMBERS + first;
    _mm512_storeu_si512(best, _mm512_maskz_compress_epi32(bits, (__m512i)i_load(keys)));
    _mm512_storeu_si512(best_ids, _mm512_maskz_compress_epi32(bits, (__m512i)id));
    return (size_t)__builtin_popcount(bits);
}

#include "matrices.h"
#include "float_kernels.h"
END
#endif
