/* The kernels of x86-64: AVX2; with AVX-VNNI; AVX-512 with VNNI. */
#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define BEGIN(features) \
    PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END PRAGMA(clang attribute pop)
#else
#define BEGIN(features) PRAGMA(GCC push_options) PRAGMA(GCC target(features))
#define END PRAGMA(GCC pop_options)
#endif

#define AT_256(x) _mm256_loadu_si256((const __m256i *)(const void *)(x))

BEGIN("avx2")
/* |q| times the weights with q's signs: two products of at most 128 · 127 fit into 16 bits. */
INLINE __m256i signed_products(__m256i w, __m256i q) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(w, q));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

INLINE __m128i pairs_of(__m256i x) {
    return _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

#define NAMED(name) name##_avx2
#define GLINT_NAME "avx2"
#define GLINT_WIDTH 8
#define GLINT_TILE 4
#define GLINT_OFFSET 0
#define DOT(sum, w, q) ((sum) + (ints)signed_products(AT_256(w), _mm256_set1_epi32(four_at(q))))
#define NARROW(y, x) _mm_storeu_si64(y, _mm_packs_epi16(pairs_of((__m256i)(x)), (__m128i){0}))
#define MAX(a, b) _mm256_max_ps((__m256)(a), (__m256)(b))
#define MIN(a, b) _mm256_min_ps((__m256)(a), (__m256)(b))
#include "kernels.h"
END

BEGIN("avx2,avxvnni")
#define NAMED(name) name##_avx_vnni
#define GLINT_NAME "avx-vnni"
#define GLINT_WIDTH 8
#define GLINT_TILE 4
#define GLINT_OFFSET 128  /* q without a sign */
#define DOT(sum, w, q)                                                                            \
    _mm256_dpbusd_avx_epi32((__m256i)(sum), _mm256_set1_epi32(four_at(q)), AT_256(w))
#define NARROW(y, x) _mm_storeu_si64(y, _mm_packus_epi16(pairs_of((__m256i)(x)), (__m128i){0}))
#define MAX(a, b) _mm256_max_ps((__m256)(a), (__m256)(b))
#define MIN(a, b) _mm256_min_ps((__m256)(a), (__m256)(b))
#include "kernels.h"
END

BEGIN("avx2,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
#define NAMED(name) name##_avx512_vnni
#define GLINT_NAME "avx512-vnni"
#define GLINT_WIDTH 16
#define GLINT_TILE 16
#define GLINT_OFFSET 128
#define DOT(sum, w, q)                                                                            \
    _mm512_dpbusd_epi32((__m512i)(sum), _mm512_set1_epi32(four_at(q)), _mm512_loadu_si512(w))
#define NARROW(y, x)                                                                              \
    _mm_storeu_si128((__m128i *)(void *)(y),                                                      \
                     _mm512_cvtusepi32_epi8(_mm512_max_epi32((__m512i)(x), (__m512i){0})))
#define MAX(a, b) _mm512_max_ps((__m512)(a), (__m512)(b))
#define MIN(a, b) _mm512_min_ps((__m512)(a), (__m512)(b))
#include "kernels.h"
END
#endif
