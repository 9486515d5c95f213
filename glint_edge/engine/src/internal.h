/* What the engine's sources share: the parts of a model, and what a set of kernels computes. */
#ifndef GLINT_INTERNAL_H
#define GLINT_INTERNAL_H

#include <float.h>

#include "glint.h"

#if !defined(__GNUC__) && !defined(__clang__)
#error "gcc or clang, whose vectors this is written in; Visual Studio brings clang"
#endif
#if defined(__FAST_MATH__)
#error "the same bits everywhere: compile without -ffast-math"
#endif
/* No product is fused with a sum, whatever the command line says. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
#if FLT_EVAL_METHOD != 0
#error "the same bits everywhere: floats must be computed with as floats (-msse2 -mfpmath=sse)"
#endif

/* The matrices, in the order of the file; the equations are those of arXiv 2406.10244. */
enum {
    ITEM_IN,       /* X → u, k, v: W0 (eq. 5), Wk, Wv / √(d/H) (eq. 2) */
    CONV_IN,       /* the first convolution's taps side by side (eq. 5) */
    STEP_IN,       /* c → the GRU's r, z, n (eq. 1), and the gate's Wδ (eq. 7) */
    STEP_STATE,    /* h → r, z, n (eq. 1) */
    GATE_UP,       /* Wω (eq. 7) */
    GRU_OUT,       /* Wφ (eq. 9) */
    ITEM_OUT,      /* X → q (eq. 2) and the mixing gate W2 (eq. 11) */
    ATTENTION_OUT, /* W_o */
    CONV_OUT,      /* the second convolution's taps, times α₁ (eq. 8, 10) */
    MIX_OUT,       /* Wz (eq. 11) */
    MLP_IN,        /* W3, W4 (eq. 12) */
    MLP_OUT,       /* Wr (eq. 12) */
    TABLE          /* the items' rows (eq. 13); the bias says which are on offer */
};

enum {
    INPUT_WEIGHT, INPUT_BIAS,           /* LN_e */
    DECAY, LOG_DECAY, FRESH, OWN, TREND, /* g, log g, 1 − g, 1 + β², 1 − β² */
    LOW_PASS_WEIGHT, LOW_PASS_BIAS,     /* LN_f */
    ATTENTION_WEIGHT, ATTENTION_BIAS,   /* LN_a, times α₂ (eq. 10) */
    NORM_WEIGHT, NORM_BIAS,             /* LN */
    PAD_INPUT, PAD_MEMORY,              /* what a pad item brings: u, and k̂ vᵀ */
    INVERSE                             /* of the rows' lengths */
};

enum {
    BLOCK = 16, GROUP = 4,
    SCORED = 4096,  /* rows of the table whose scores stand in the workspace */
    PEAKS = 256,    /* … as so many columns */
    FEW = 32, MANY = 1024  /* are put in order by counting, for a short and for a long list */
};

/* A row of int8 stands for (q − zero) · step. */
typedef struct glint_step {
    float step;
    int32_t zero;
} glint_step;

/* What the engine computes with. Every set gives the same bits: integer sums are exact, float sums
 * are taken in 16 lanes (element i in lane i mod 16) and a fixed tree, or in one fixed order a lane;
 * no product is fused with a sum; exp is the engine's own (lanes.h).
 *
 * Vectors stand anywhere a float may; n is any number. Outputs of `linear_…` have whole blocks of 16.
 */
typedef struct glint_kernels {
    const char *name;

    /* y[i][16 b + r] = Σ_c w[r, c] (q[i][c] − zero_i) · scale[r] · step_i + bias[r], in this order of
     * products, of `blocks` blocks from `first`, for n rows of integers; q and y have strides. The
     * columns of q beyond the layer's, up to its groups, are 0, and so are the weights there. */
    void (*linear_int8)(const glint_layer *layer, size_t first, size_t blocks, const int8_t *q,
                        size_t q_stride, const glint_step *steps, size_t n, float *y,
                        size_t y_stride);
    /* The same of floats; a row's sum is taken column after column, then the bias. */
    void (*linear_fp32)(const glint_layer *layer, size_t first, size_t blocks, const float *x,
                        size_t x_stride, const glint_step *none, size_t n, float *y,
                        size_t y_stride);
    glint_step (*quantize)(const float *x, size_t n, int8_t *q);

    /* y = LayerNorm(a + b), or of a where b is NULL. */
    void (*layer_norm)(const float *a, const float *b, size_t n, float eps, const float *weight,
                       const float *bias, float *y);
    /* x = elu(x) / ‖elu(x)‖₂ by head (eq. 2). */
    void (*unit_heads)(float *x, size_t heads, size_t width);
    /* memory[i][j] += k̂_i v_j for each of n positions in turn, head after head. */
    void (*remember)(float *memory, const float *k, const float *v, size_t stride, size_t n,
                     size_t heads, size_t width);
    /* y_j = Σ_i q̂_i memory[i][j], head after head. */
    void (*recall)(const float *memory, const float *q, size_t heads, size_t width, float *y);
    /* sums = g ⊙ sums + x;  y = (1 + β²) x + (1 − β²) sums (1 − g) / (1 − gᵗ). */
    void (*low_pass)(const glint_model *model, const float *x, float t, float *sums, float *y);
    /* h = the GRU's step (eq. 1), of the input's part and the state's part [3 n], each r, z, n. */
    void (*gru_step)(const float *input, const float *past, size_t n, float *h);
    void (*silu)(const float *x, size_t n, float *y);
    /* y = GeLU(x) ⊙ (a + b); b may be NULL. */
    void (*gelu_times)(const float *x, const float *a, const float *b, size_t n, float *y);
    /* Σ x, or Σ x². */
    float (*sum)(const float *x, size_t n, int of_squares);

    /* scores = scores · inverse + bias, either of which may be NULL. */
    void (*adjust)(const float *inverse, const float *bias, size_t n, float *scores);
    /* peaks[i] = the largest of scores i, i + few, i + 2 few … of n, but for what is no number, and
     * −∞ of none; n and few are multiples of 16. */
    void (*peaks)(const float *scores, size_t n, size_t few, float *peaks);
    /* place[i] = how many stand before i: the larger, and of equals the smaller ids, if there are any.
     * All are read, and written, in whole blocks. */
    void (*places)(const float *scores, const int32_t *ids, size_t n, int32_t *place);
} glint_kernels;

extern const glint_kernels glint_portable;

/* The sets of this build that run on this processor, the fastest first; NULL: no more. */
const glint_kernels *glint_kernels_at(size_t number);

#if defined(GLINT_SANITIZED) /* compilers take minutes over what is inlined */
#define INLINE static inline __attribute__((unused))
#else
#define INLINE static inline __attribute__((always_inline, unused))
#endif

static inline size_t whole_blocks(size_t n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

static inline int32_t bits_of(float x) {
    union { float x; int32_t bits; } both = {x};
    return both.bits;
}

static inline float float_of(int32_t bits) {
    union { int32_t bits; float x; } both = {bits};
    return both.x;
}

/* Four bytes at any address. */
static inline int32_t four_at(const int8_t *x) {
    int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    return four;
}

/* 1/√x to a last digit or two, by Newton's steps from a first guess: C alone has no square root. */
static inline float inverse_root(float x) {
    float y = float_of(0x5f3759df - (int32_t)((uint32_t)bits_of(x) >> 1)), half = 0.5f * x;
    for (int step = 0; step < 3; step++) y = y * (1.5f - half * y * y);
    return y;
}

#endif
