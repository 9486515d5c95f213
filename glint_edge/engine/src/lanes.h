/* Sixteen floats, or sixteen integers, at a time, and what is computed with them.
 *
 * Included once for each set of kernels, which says first how many numbers a register has,
 * GLINT_WIDTH 1 (C alone), 4, 8 or 16 (vectors of gcc and clang), and what its names end in,
 * GLINT_SUFFIX. Every operation is IEEE 754's own on each lane, so all widths give the same bits.
 */
#ifndef GLINT_LANES
#define GLINT_LANES
#define GLINT_PASTED(a, b) a##b
#define GLINT_PASTE(a, b) GLINT_PASTED(a, b)
#define NAMED(name) GLINT_PASTE(name, GLINT_SUFFIX)
#define LANES 16
#define PARTS (LANES / GLINT_WIDTH)
#define EACH(statement) for (int e = 0; e < PARTS; e++) { statement; }

#define fpart NAMED(fpart)
#define ipart NAMED(ipart)
#define floats NAMED(floats)
#define ints NAMED(ints)
#define f_all NAMED(f_all)
#define f_load NAMED(f_load)
#define f_load_some NAMED(f_load_some)
#define f_store NAMED(f_store)
#define f_store_some NAMED(f_store_some)
#define f_add NAMED(f_add)
#define f_sub NAMED(f_sub)
#define f_mul NAMED(f_mul)
#define f_div NAMED(f_div)
#define f_less NAMED(f_less)
#define f_select NAMED(f_select)
#define f_max NAMED(f_max)
#define f_min NAMED(f_min)
#define f_bits NAMED(f_bits)
#define f_of_bits NAMED(f_of_bits)
#define f_round NAMED(f_round)
#define f_sum NAMED(f_sum)
#define f_exp NAMED(f_exp)
#define f_sigmoid NAMED(f_sigmoid)
#define f_tanh NAMED(f_tanh)
#define f_gelu NAMED(f_gelu)
#define i_all NAMED(i_all)
#define i_load NAMED(i_load)
#define i_store NAMED(i_store)
#define i_add NAMED(i_add)
#define i_sub NAMED(i_sub)
#define i_mul NAMED(i_mul)
#define i_and NAMED(i_and)
#define i_or NAMED(i_or)
#define i_xor NAMED(i_xor)
#define i_from NAMED(i_from)
#define i_max NAMED(i_max)
#define i_min NAMED(i_min)
#define i_sum NAMED(i_sum)
#endif

#undef INLINE
#if !defined(__GNUC__)
#define INLINE static inline
#elif GLINT_WIDTH == 1 || defined(GLINT_SANITIZED) /* compilers take long over all that */
#define INLINE static inline __attribute__((unused))
#else
#define INLINE static inline __attribute__((always_inline, unused))
#endif
#undef MASK
#undef BITS
#undef OF_BITS
#if GLINT_WIDTH == 1
typedef float fpart;
typedef int32_t ipart;
#define MASK(comparison) (-(int32_t)(comparison))
#define BITS(x) bits_of(x)
#define OF_BITS(x) float_of(x)
#else
typedef float fpart __attribute__((vector_size(4 * GLINT_WIDTH)));
typedef int32_t ipart __attribute__((vector_size(4 * GLINT_WIDTH)));
#define MASK(comparison) (comparison)
#define BITS(x) ((ipart)(x))
#define OF_BITS(x) ((fpart)(x))
#endif

typedef struct { fpart at[PARTS]; } floats;
typedef struct { ipart at[PARTS]; } ints;

INLINE floats f_load(const float *x) {
    floats y;
#if GLINT_WIDTH == 1
    EACH(y.at[e] = x[e])
#else
    EACH(__builtin_memcpy(&y.at[e], x + e * GLINT_WIDTH, sizeof(fpart)))
#endif
    return y;
}

INLINE void f_store(float *y, floats x) {
#if GLINT_WIDTH == 1
    EACH(y[e] = x.at[e])
#else
    EACH(__builtin_memcpy(y + e * GLINT_WIDTH, &x.at[e], sizeof(fpart)))
#endif
}

INLINE ints i_load(const int32_t *x) {
    ints y;
#if GLINT_WIDTH == 1
    EACH(y.at[e] = x[e])
#else
    EACH(__builtin_memcpy(&y.at[e], x + e * GLINT_WIDTH, sizeof(ipart)))
#endif
    return y;
}

INLINE void i_store(int32_t *y, ints x) {
#if GLINT_WIDTH == 1
    EACH(y[e] = x.at[e])
#else
    EACH(__builtin_memcpy(y + e * GLINT_WIDTH, &x.at[e], sizeof(ipart)))
#endif
}

/* The first n, n ≤ 16 or taken as 16; zeros in the other lanes. */
INLINE floats f_load_some(const float *x, size_t n) {
    float some[LANES] = {0};
    if (n >= LANES) return f_load(x);
    for (size_t i = 0; i < n; i++) some[i] = x[i];
    return f_load(some);
}

INLINE void f_store_some(float *y, floats x, size_t n) {
    float some[LANES];
    if (n >= LANES) { f_store(y, x); return; }
    f_store(some, x);
    for (size_t i = 0; i < n; i++) y[i] = some[i];
}

INLINE floats f_all(float x) {
    floats y;
    EACH(y.at[e] = x - (fpart){0})
    return y;
}

INLINE ints i_all(int32_t x) {
    ints y;
    EACH(y.at[e] = x - (ipart){0})
    return y;
}

INLINE floats f_add(floats a, floats b) { EACH(a.at[e] += b.at[e]) return a; }
INLINE floats f_sub(floats a, floats b) { EACH(a.at[e] -= b.at[e]) return a; }
INLINE floats f_mul(floats a, floats b) { EACH(a.at[e] *= b.at[e]) return a; }
INLINE floats f_div(floats a, floats b) { EACH(a.at[e] /= b.at[e]) return a; }
INLINE ints i_add(ints a, ints b) { EACH(a.at[e] += b.at[e]) return a; }
INLINE ints i_sub(ints a, ints b) { EACH(a.at[e] -= b.at[e]) return a; }
INLINE ints i_mul(ints a, ints b) { EACH(a.at[e] *= b.at[e]) return a; }
INLINE ints i_and(ints a, ints b) { EACH(a.at[e] &= b.at[e]) return a; }
INLINE ints i_or(ints a, ints b) { EACH(a.at[e] |= b.at[e]) return a; }
INLINE ints i_xor(ints a, ints b) { EACH(a.at[e] ^= b.at[e]) return a; }

/* Masks: −1 where it holds, else 0. */
INLINE ints f_less(floats a, floats b) {
    ints y;
    EACH(y.at[e] = MASK(a.at[e] < b.at[e]))
    return y;
}

INLINE ints i_from(ints a, ints least) { EACH(a.at[e] = MASK(a.at[e] >= least.at[e])) return a; }

INLINE ints f_bits(floats x) {
    ints y;
    EACH(y.at[e] = BITS(x.at[e]))
    return y;
}

INLINE floats f_of_bits(ints x) {
    floats y;
    EACH(y.at[e] = OF_BITS(x.at[e]))
    return y;
}

/* a where the mask is −1, else b. */
INLINE floats f_select(ints mask, floats a, floats b) {
    EACH(a.at[e] = OF_BITS((BITS(a.at[e]) & mask.at[e]) | (BITS(b.at[e]) & ~mask.at[e])))
    return a;
}

/* b where either is no number. */
INLINE floats f_max(floats a, floats b) { return f_select(f_less(b, a), a, b); }
INLINE floats f_min(floats a, floats b) { return f_select(f_less(a, b), a, b); }

INLINE ints i_max(ints a, ints b) {
    EACH(ipart m = MASK(a.at[e] > b.at[e]); a.at[e] = (a.at[e] & m) | (b.at[e] & ~m))
    return a;
}

INLINE ints i_min(ints a, ints b) {
    EACH(ipart m = MASK(a.at[e] < b.at[e]); a.at[e] = (a.at[e] & m) | (b.at[e] & ~m))
    return a;
}

/* To the nearest integer, a half to the even one, of |x| < 2²²; of others anything. No conversion:
 * that of what does not fit is undefined in C. */
#define ROUNDER 12582912.0f /* 1.5 · 2²³: its last digit counts ones */

INLINE ints f_round(floats x) {
    return i_sub(f_bits(f_add(x, f_all(ROUNDER))), i_all(bits_of(ROUNDER)));
}

/* The sum of the lanes: i + 8 to i, i + 4 to i, i + 2, i + 1. */
INLINE float f_sum(floats x) {
    float lane[LANES];
    for (int half = PARTS / 2; half; half /= 2)
        for (int e = 0; e < half; e++) x.at[e] += x.at[e + half];
    f_store(lane, x);
    for (int half = GLINT_WIDTH / 2; half; half /= 2)
        for (int e = 0; e < half; e++) lane[e] += lane[e + half];
    return lane[0];
}

INLINE int32_t i_sum(ints x) {
    int32_t lane[LANES], sum = 0;
    i_store(lane, x);
    for (int e = 0; e < LANES; e++) sum += lane[e];
    return sum;
}

/* eˣ to 1e-7 of itself, from e⁻⁸⁷ to e⁸⁷: x = n log 2 + r, a polynomial of r (Cephes' expf), and n
 * added to the exponent. */
INLINE floats f_exp(floats x) {
    x = f_min(f_max(x, f_all(-87.0f)), f_all(87.0f));
    floats n = f_add(f_mul(x, f_all(1.44269504f)), f_all(ROUNDER));
    ints whole = i_sub(f_bits(n), i_all(bits_of(ROUNDER)));
    n = f_sub(n, f_all(ROUNDER));
    x = f_sub(f_sub(x, f_mul(n, f_all(0.693359375f))), f_mul(n, f_all(-2.12194440e-4f)));
    floats y = f_all(1.9875691500e-4f);
    y = f_add(f_mul(y, x), f_all(1.3981999507e-3f));
    y = f_add(f_mul(y, x), f_all(8.3334519073e-3f));
    y = f_add(f_mul(y, x), f_all(4.1665795894e-2f));
    y = f_add(f_mul(y, x), f_all(1.6666665459e-1f));
    y = f_add(f_mul(y, x), f_all(5.0000001201e-1f));
    y = f_add(f_add(f_mul(f_mul(y, x), x), x), f_all(1.0f));
    return f_of_bits(i_add(f_bits(y), i_mul(whole, i_all(1 << 23))));
}

INLINE floats f_sigmoid(floats x) {
    return f_div(f_all(1.0f), f_add(f_all(1.0f), f_exp(f_sub(f_all(0.0f), x))));
}

INLINE floats f_tanh(floats x) {
    floats y = f_exp(f_add(x, x));
    return f_sub(f_all(1.0f), f_div(f_all(2.0f), f_add(y, f_all(1.0f))));
}

/* x/2 (1 + erf(x/√2)); erf to 1.5e-7, Abramowitz and Stegun 7.1.26. */
INLINE floats f_gelu(floats x) {
    floats zero = f_all(0.0f), one = f_all(1.0f);
    floats size = f_mul(f_max(x, f_sub(zero, x)), f_all(0.70710678f));
    floats t = f_div(one, f_add(one, f_mul(size, f_all(0.3275911f))));
    floats y = f_all(1.061405429f);
    y = f_add(f_mul(y, t), f_all(-1.453152027f));
    y = f_add(f_mul(y, t), f_all(1.421413741f));
    y = f_add(f_mul(y, t), f_all(-0.284496736f));
    y = f_add(f_mul(y, t), f_all(0.254829592f));
    y = f_sub(one, f_mul(f_mul(y, t), f_exp(f_sub(zero, f_mul(size, size)))));
    y = f_select(f_less(x, zero), f_sub(zero, y), y);
    return f_mul(f_mul(x, f_all(0.5f)), f_add(one, y));
}
