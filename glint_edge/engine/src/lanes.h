/* Sixteen floats, or sixteen integers, at a time, and what is computed with them.
 *
 * They are the vectors of gcc and clang, which split them into a processor's registers; +, −, × and ÷
 * are IEEE 754's on each lane, so that all splits give the same bits. Included once for each set of
 * kernels, which says first how many lanes a register has, GLINT_WIDTH 4, 8 or 16, and what its names
 * end in, GLINT_SUFFIX. Comparisons, and sums over a loop, are made a register at a time: gcc makes
 * them lane by lane, or in memory, else.
 */
#ifndef GLINT_LANES
#define GLINT_LANES
enum { LANES = 16 };
typedef float floats __attribute__((vector_size(4 * LANES), aligned(16)));
typedef int32_t ints __attribute__((vector_size(4 * LANES), aligned(16)));
typedef uint32_t words __attribute__((vector_size(4 * LANES), aligned(16)));

#define GLINT_PASTED(a, b) a##b
#define GLINT_PASTE(a, b) GLINT_PASTED(a, b)
#define NAMED(name) GLINT_PASTE(name, GLINT_SUFFIX)
#define fpart NAMED(fpart)
#define ipart NAMED(ipart)
#define fparts NAMED(fparts)
#define iparts NAMED(iparts)
#define wpart NAMED(wpart)
#define fsums NAMED(fsums)
#define isums NAMED(isums)
#define f_part NAMED(f_part)
#define i_part NAMED(i_part)
#define f_put NAMED(f_put)
#define f_above NAMED(f_above)
#define f_max NAMED(f_max)
#define f_min NAMED(f_min)
#define f_sum NAMED(f_sum)
#define f_most NAMED(f_most)
#define f_least NAMED(f_least)
#define f_exp NAMED(f_exp)
#define f_sigmoid NAMED(f_sigmoid)
#define f_tanh NAMED(f_tanh)
#define f_gelu NAMED(f_gelu)
#define added NAMED(added)
#define counted NAMED(counted)
#define i_upto NAMED(i_upto)
#define i_from NAMED(i_from)
#define i_max NAMED(i_max)
#define i_sum NAMED(i_sum)
#define from_least NAMED(from_least)
#define dot NAMED(dot)
#define narrow NAMED(narrow)
#define keep NAMED(keep)
#define tile_int8 NAMED(tile_int8)
#define tile_fp32 NAMED(tile_fp32)

#define SELDOM static __attribute__((noinline, unused))
#define ALWAYS static inline __attribute__((always_inline, unused)) /* whatever the set */
#if defined(GLINT_SANITIZED) /* compilers take minutes over what is inlined */
#define INLINE static inline __attribute__((unused))
#else
#define INLINE ALWAYS
#endif
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#pragma GCC diagnostic ignored "-Wpsabi" /* no vector is handed to what another compiler made */
#endif
#define PARTS (LANES / GLINT_WIDTH)
#define EACH(...) UNROLL for (int e = 0; e < PARTS; e++) { __VA_ARGS__; }

static const ints NUMBERS = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const ints POWERS = {-1, -2, -4, -8, -16, -32, -64, -128, -256, -512, -1024, -2048, -4096,
                            -8192, -16384, -32768};

ALWAYS floats f_load(const float *x) { floats y; __builtin_memcpy(&y, x, sizeof y); return y; }
ALWAYS void f_store(float *y, floats x) { __builtin_memcpy(y, &x, sizeof x); }
ALWAYS ints i_load(const int32_t *x) { ints y; __builtin_memcpy(&y, x, sizeof y); return y; }
ALWAYS void i_store(int32_t *y, ints x) { __builtin_memcpy(y, &x, sizeof x); }
ALWAYS floats f_all(float x) { return x - (floats){0}; }
ALWAYS ints i_all(int32_t x) { return x - (ints){0}; }

/* a where the mask is −1, b where it is 0. */
ALWAYS ints i_select(ints mask, ints a, ints b) { return (mask & a) | (~mask & b); }
ALWAYS floats f_select(ints mask, floats a, floats b) {
    return (floats)i_select(mask, (ints)a, (ints)b);
}

/* To the nearest integer, a half to the even one, of |x| < 2²²; of others anything. No conversion:
 * that of what does not fit is undefined in C. */
#define ROUNDER 12582912.0f /* 1.5 · 2²³: its last digit counts ones */
ALWAYS ints f_round(floats x) { return (ints)((words)(x + ROUNDER) - (uint32_t)bits_of(ROUNDER)); }

SELDOM void copy_some(const float *from, size_t n, float *to, size_t whole) {
    for (size_t i = 0; i < whole; i++) to[i] = i < n ? from[i] : 0.0f;
}

/* The first n ≤ 16, and zeros in the other lanes. */
ALWAYS floats f_load_some(const float *x, size_t n) {
    float some[LANES];
    if (n == LANES) return f_load(x);
    copy_some(x, n, some, LANES);
    return f_load(some);
}

ALWAYS void f_store_some(float *y, floats x, size_t n) {
    float some[LANES];
    f_store(n == LANES ? y : some, x);
    if (n != LANES) copy_some(some, n, y, n);
}

/* What is done 16 elements at a time, and with the `some` that are left. */
#define FOR_LANES(n, ...)                                                                         \
    do {                                                                                          \
        size_t i = 0;                                                                             \
        for (; i + LANES <= (n); i += LANES) { enum { some = LANES }; __VA_ARGS__ }               \
        if (i < (n)) { const size_t some = (n) - i; __VA_ARGS__ }                                 \
    } while (0)
#define GET(x) f_load_some((x) + i, some)
#define PUT(y, x) f_store_some((y) + i, x, some)
#endif

typedef float fpart __attribute__((vector_size(4 * GLINT_WIDTH)));
typedef int32_t ipart __attribute__((vector_size(4 * GLINT_WIDTH)));
typedef uint32_t wpart __attribute__((vector_size(4 * GLINT_WIDTH)));
typedef struct { fpart at[PARTS]; } fsums;
typedef struct { ipart at[PARTS]; } isums;
typedef union { floats all; fpart at[PARTS]; } fparts;
typedef union { ints all; ipart at[PARTS]; } iparts;

INLINE fpart f_part(const float *x) { fpart y; __builtin_memcpy(&y, x, sizeof y); return y; }
INLINE ipart i_part(const int32_t *x) { ipart y; __builtin_memcpy(&y, x, sizeof y); return y; }
INLINE void f_put(float *y, fpart x) { __builtin_memcpy(y, &x, sizeof x); }

/* b where either is no number. */
#define PART_SELECT(mask, a, b) (((mask) & (ipart)(a)) | (~(mask) & (ipart)(b)))
#ifndef PART_MAX
#define PART_MAX(a, b) (fpart)PART_SELECT((b) < (a), a, b)
#define PART_MIN(a, b) (fpart)PART_SELECT((a) < (b), a, b)
#endif

INLINE floats f_max(floats a, floats b) {
    fparts x = {a}, y = {b};
    EACH(x.at[e] = PART_MAX(x.at[e], y.at[e]))
    return x.all;
}

INLINE floats f_min(floats a, floats b) {
    fparts x = {a}, y = {b};
    EACH(x.at[e] = PART_MIN(x.at[e], y.at[e]))
    return x.all;
}

INLINE ints i_max(ints a, ints b) {
    iparts x = {a}, y = {b};
    EACH(x.at[e] = PART_SELECT(x.at[e] > y.at[e], x.at[e], y.at[e]))
    return x.all;
}

/* Masks: −1 where it holds, else 0. */
INLINE ints f_above(floats a, float least) {
    fparts x = {a};
    iparts mask;
    EACH(mask.at[e] = x.at[e] > least - (fpart){0})
    return mask.all;
}

INLINE ints i_from(ints a, int32_t least) {
    iparts x = {a};
    EACH(x.at[e] = x.at[e] >= least - (ipart){0})
    return x.all;
}

INLINE ints i_upto(ints a, int32_t most) {
    iparts x = {a};
    EACH(x.at[e] = x.at[e] <= most - (ipart){0})
    return x.all;
}

/* All lanes together: lane i + 8 with i, i + 4 with i, i + 2, i + 1. */
#undef TURNED
#define FOUR_OF(x, i) x[(i) % GLINT_WIDTH], x[((i) + 1) % GLINT_WIDTH],                           \
                      x[((i) + 2) % GLINT_WIDTH], x[((i) + 3) % GLINT_WIDTH]
#if GLINT_WIDTH == 4
#define TURNED(x, by) {FOUR_OF(x, by)}
#elif GLINT_WIDTH == 8
#define TURNED(x, by) {FOUR_OF(x, by), FOUR_OF(x, by + 4)}
#else
#define TURNED(x, by) {FOUR_OF(x, by), FOUR_OF(x, by + 4), FOUR_OF(x, by + 8), FOUR_OF(x, by + 12)}
#endif
#define SUM(a, b) ((a) + (b))
#define FOLD(part, x, op)                                                                         \
    for (int half = PARTS / 2; half; half /= 2)                                                   \
        for (int e = 0; e < half; e++) x[e] = op(x[e], x[e + half]);                              \
    if (GLINT_WIDTH > 8) x[0] = op(x[0], ((part)TURNED(x[0], 8)));                                \
    if (GLINT_WIDTH > 4) x[0] = op(x[0], ((part)TURNED(x[0], 4)));                                \
    x[0] = op(x[0], ((part)TURNED(x[0], 2)));                                                     \
    x[0] = op(x[0], ((part)TURNED(x[0], 1)));                                                     \
    return x[0][0];

INLINE float f_sum(fsums x) { FOLD(fpart, x.at, SUM) }
INLINE float f_most(fsums x) { FOLD(fpart, x.at, PART_MAX) }
INLINE float f_least(fsums x) { FOLD(fpart, x.at, PART_MIN) }
INLINE int32_t i_sum(isums x) { FOLD(ipart, x.at, SUM) }

/* One sum more in each lane; `counted`: one where the mask is −1. */
INLINE fsums added(fsums sum, floats x) {
    const fparts of = {x};
    EACH(sum.at[e] += of.at[e])
    return sum;
}

INLINE isums counted(isums count, ints mask) {
    const iparts of = {mask};
    EACH(count.at[e] -= of.at[e])
    return count;
}

/* eˣ to 1e-7 of itself, from e⁻⁸⁷ to e⁸⁷: x = n log 2 + r, a polynomial of r (Cephes' expf), and n
 * added to the exponent. */
INLINE floats f_exp(floats x) {
    x = f_min(f_max(x, f_all(-87.0f)), f_all(87.0f));
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
    return x * 0.5f * (1.0f + f_select(f_above(x, 0.0f), y, -y));
}
