/* A register of floats or integers, and what is computed with one.
 *
 * It is a vector of gcc and clang, of GLINT_WIDTH lanes; +, −, × and ÷ are IEEE 754's on each lane,
 * so that all widths give the same bits. A sum has 16 lanes, LANES, in PARTS registers. Included once
 * for each set of kernels, whose names NAMED makes.
 */
#ifndef GLINT_LANES
#define GLINT_LANES
enum { LANES = 16 };
#define PARTS (LANES / GLINT_WIDTH)
#define floats NAMED(floats)
#define ints NAMED(ints)
#define words NAMED(words)
#define f_get NAMED(f_get)
#define f_put NAMED(f_put)
#define i_get NAMED(i_get)
#define f_max NAMED(f_max)
#define f_min NAMED(f_min)
#define f_sum NAMED(f_sum)
#define f_most NAMED(f_most)
#define f_least NAMED(f_least)
#define f_exp NAMED(f_exp)
#define f_sigmoid NAMED(f_sigmoid)
#define f_tanh NAMED(f_tanh)
#define f_gelu NAMED(f_gelu)
#define i_round NAMED(i_round)
#define i_all NAMED(i_all)
#define tile_int8 NAMED(tile_int8)
#define tile_fp32 NAMED(tile_fp32)

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#pragma clang diagnostic ignored "-Wpass-failed" /* a processor without vectors unrolls less */
#else
#define UNROLL _Pragma("GCC unroll 16")
#pragma GCC diagnostic ignored "-Wpsabi" /* no vector is handed to what another compiler made */
#endif
#define EACH(...) UNROLL for (int e = 0; e < PARTS; e++) { __VA_ARGS__; }

/* A lane of the mask is −1, for that of a, or 0, for b's. */
#define SELECT(mask, a, b) (((mask) & (ints)(a)) | (~(mask) & (ints)(b)))

#define LARGER(a, b) SELECT((a) > (b), a, b)
#define SMALLER(a, b) SELECT((a) < (b), a, b)

/* To the nearest integer, a half to the even one, of |x| < 2²²; of others anything. No conversion:
 * that of what does not fit is undefined in C. */
#define ROUNDER 12582912.0f /* 1.5 · 2²³: its last digit counts ones */

static __attribute__((noinline, unused)) void copy_some(const float *from, size_t n, float *to,
                                                        size_t whole) {
    for (size_t i = 0; i < whole; i++) to[i] = i < n ? from[i] : 0.0f;
}

/* What is done with a register at a time, and with the `some` elements that are left. */
#define ALL_OF(n, ...)                                                                            \
    do {                                                                                          \
        size_t i = 0;                                                                             \
        for (; i + GLINT_WIDTH <= (n); i += GLINT_WIDTH) {                                        \
            enum { some = GLINT_WIDTH };                                                          \
            __VA_ARGS__                                                                           \
        }                                                                                         \
        if (i < (n)) { const size_t some = (n) - i; __VA_ARGS__ }                                 \
    } while (0)
#define GET(x) f_get((x) + i, some)
#define PUT(y, x) f_put((y) + i, x, some)
#endif

typedef float floats __attribute__((vector_size(4 * GLINT_WIDTH)));
typedef int32_t ints __attribute__((vector_size(4 * GLINT_WIDTH)));
typedef uint32_t words __attribute__((vector_size(4 * GLINT_WIDTH)));

INLINE floats f_get(const float *x, size_t n) {
    float some[GLINT_WIDTH];
    floats y;
    if (n < GLINT_WIDTH) copy_some(x, n, some, GLINT_WIDTH);
    __builtin_memcpy(&y, n < GLINT_WIDTH ? some : x, sizeof y);
    return y;
}

INLINE void f_put(float *y, floats x, size_t n) {
    float some[GLINT_WIDTH];
    __builtin_memcpy(n < GLINT_WIDTH ? some : y, &x, sizeof x);
    if (n < GLINT_WIDTH) copy_some(some, n, y, n);
}

INLINE ints i_get(const void *x) { ints y; __builtin_memcpy(&y, x, sizeof y); return y; }
INLINE ints i_all(int32_t x) { return x - (ints){0}; }
INLINE ints i_round(floats x) { return (ints)((words)(x + ROUNDER) - (uint32_t)bits_of(ROUNDER)); }

/* b where either is no number. */
#ifndef MAX
#define MAX LARGER
#define MIN SMALLER
#endif
INLINE floats f_max(floats a, floats b) { return (floats)MAX(a, b); }
INLINE floats f_min(floats a, floats b) { return (floats)MIN(a, b); }

/* All lanes together: lane i + 8 with i, i + 4 with i, i + 2, i + 1. */
#define SUM(a, b) ((a) + (b))
#define FOUR_OF(x, i, by) x[(i) ^ (by)], x[((i) + 1) ^ (by)],                                     \
                          x[((i) + 2) ^ (by)], x[((i) + 3) ^ (by)]
#undef TURNED
#if GLINT_WIDTH == 4
#define TURNED(x, by) {FOUR_OF(x, 0, (by) % 4)}
#elif GLINT_WIDTH == 8
#define TURNED(x, by) {FOUR_OF(x, 0, (by) % 8), FOUR_OF(x, 4, (by) % 8)}
#else
#define TURNED(x, by)                                                                             \
    {FOUR_OF(x, 0, by), FOUR_OF(x, 4, by), FOUR_OF(x, 8, by), FOUR_OF(x, 12, by)}
#endif
#define FOLD(type, x, op)                                                                         \
    if (GLINT_WIDTH > 8) x = (type)op(x, ((type)TURNED(x, 8)));                                   \
    if (GLINT_WIDTH > 4) x = (type)op(x, ((type)TURNED(x, 4)));                                   \
    x = (type)op(x, ((type)TURNED(x, 2)));                                                        \
    x = (type)op(x, ((type)TURNED(x, 1)));                                                        \
    return x[0];

INLINE float f_most(floats x) { FOLD(floats, x, MAX) }
INLINE float f_least(floats x) { FOLD(floats, x, MIN) }
INLINE float f_sum(const floats *part) {
    floats all[PARTS];
    EACH(all[e] = part[e])
    for (int half = PARTS / 2; half; half /= 2)
        for (int e = 0; e < half; e++) all[e] += all[e + half];
    FOLD(floats, all[0], SUM)
}

/* eˣ to 1e-7 of itself, from e⁻⁸⁷ to e⁸⁷: x = n log 2 + r, a polynomial of r (Cephes' expf), and n
 * added to the exponent. */
INLINE floats f_exp(floats x) {
    x = f_min(f_max(x, -87.0f - (floats){0}), 87.0f - (floats){0});
    floats n = x * 1.44269504f + ROUNDER;
    const words power = (words)n << 23;
    n -= ROUNDER;
    x = x - n * 0.693359375f - n * -2.12194440e-4f;
    const floats square = x * x;
    floats y = x * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * square + (x * 8.3334519073e-3f + 4.1665795894e-2f);
    y = y * square + (x * 1.6666665459e-1f + 5.0000001201e-1f);
    y = y * square + (x + 1.0f);
    return (floats)((words)y + power);
}

INLINE floats f_sigmoid(floats x) { return 1.0f / (1.0f + f_exp(-x)); }
INLINE floats f_tanh(floats x) { return 1.0f - 2.0f / (f_exp(x + x) + 1.0f); }

/* x/2 (1 + erf(x/√2)); erf to 1.5e-7, Abramowitz and Stegun 7.1.26. */
INLINE floats f_gelu(floats x) {
    const floats size = f_max(x, -x) * 0.70710678f, t = 1.0f / (1.0f + size * 0.3275911f);
    floats y = t * 1.061405429f - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    y = 1.0f - y * t * f_exp(-(size * size));
    return x * 0.5f * (1.0f + (floats)SELECT(x > 0.0f, y, -y));
}
