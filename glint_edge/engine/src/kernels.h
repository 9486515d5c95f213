/* A set of kernels; `internal.h` says what each function computes. Included once for each set.
 *     NAMED(name)        the name of a function of this set
 *     GLINT_NAME         the set's, for people
 *     GLINT_WIDTH        floats of a register: 4, 8 or 16
 *     NARROW(y, x)       integers to bytes at y, from GLINT_OFFSET − 128 to GLINT_OFFSET + 127
 */
#include "internal.h"
#include "lanes.h"
#include "matrices.h"

/* Σ x, or Σ x², in 16 lanes: element i in lane i mod 16. */
static float NAMED(sum)(const float *x, size_t n, int of_squares) {
    floats sum[PARTS];
    float last[LANES];
    EACH(sum[e] = (floats){0})
    for (; n; x += LANES, n -= LANES) {
        if (n < LANES) {
            copy_some(x, n, last, LANES);
            x = last, n = LANES;
        }
        EACH(const floats part = f_get(x + e * GLINT_WIDTH, GLINT_WIDTH);
             sum[e] += of_squares ? part * part : part)
    }
    return f_sum(sum);
}

/* The range is widened to hold 0, so that zeros stay exact; quantization/int8.py has the same. */
static glint_step NAMED(quantize)(const float *x, size_t n, int8_t *q) {
    floats low = {0}, high = {0};
    ALL_OF(n, const floats part = GET(x); low = f_min(part, low); high = f_max(part, high););
    const float least = f_least(low);
    float step = (f_most(high) - least) / 255.0f;
    step = step > FLT_EPSILON ? step : FLT_EPSILON;
    const float inverse = 1.0f / step;
    /* From −255 to 0, but in a damaged file. */
    const floats lowest = f_max(least * inverse - (floats){0}, -255.0f - (floats){0});
    const ints zero = GLINT_OFFSET - 128 - i_round(lowest);
    ALL_OF(n, NARROW(q + i, (ints)((words)i_round(GET(x) * inverse) + (words)zero)););
    return (glint_step){step, zero[0]};
}

/* LayerNorm: (x − mean) / √(variance + ε) ⊙ weight + bias, of x = a + b. */
static void NAMED(layer_norm)(const float *a, const float *b, size_t n, float eps,
                              const float *weight, const float *bias, float *y) {
    ALL_OF(n, PUT(y, b ? GET(a) + GET(b) : GET(a)););
    const float mean = NAMED(sum)(y, n, 0) / (float)n;
    ALL_OF(n, PUT(y, GET(y) - mean););
    const float inverse = inverse_root(NAMED(sum)(y, n, 1) / (float)n + eps);
    ALL_OF(n, PUT(y, GET(y) * inverse * GET(weight) + GET(bias)););
}

/* Eq. 2: elu(x) = max(x, 0) + exp(min(x, 0)) − 1, by head over its length. */
static void NAMED(unit_heads)(float *x, size_t heads, size_t width) {
    const floats zero = {0};
    ALL_OF(heads * width,
        const floats part = GET(x);
        PUT(x, f_max(part, zero) + (f_exp(f_min(part, zero)) - 1.0f));
    );
    for (; heads; heads--, x += width) {
        const float inverse = inverse_root(NAMED(sum)(x, width, 1) + 1e-20f);
        ALL_OF(width, PUT(x, GET(x) * inverse););
    }
}

/* Σ k̂ vᵀ (eq. 2), position after position. */
static void NAMED(remember)(float *memory, const float *k, const float *v, size_t stride, size_t n,
                            size_t heads, size_t width) {
    for (size_t head = 0; head < heads; head++, k += width, v += width, memory += width * width)
        for (size_t t = 0; t < n; t++)
            ALL_OF(width,
                const floats value = GET(v + t * stride);
                for (size_t row = 0; row < width; row++) {
                    float *at = memory + row * width;
                    PUT(at, GET(at) + k[t * stride + row] * value);
                }
            );
}

/* q̂ (k̂ᵀ v) (eq. 2). */
static void NAMED(recall)(const float *memory, const float *q, size_t heads, size_t width,
                          float *y) {
    for (size_t head = 0; head < heads; head++, q += width, y += width, memory += width * width) {
        size_t j = 0;
        for (; j + LANES <= width; j += LANES) {
            floats sum[PARTS];
            EACH(sum[e] = (floats){0})
            for (size_t row = 0; row < width; row++)
                EACH(sum[e] += q[row] * f_get(memory + row * width + j + e * GLINT_WIDTH, GLINT_WIDTH))
            EACH(f_put(y + j + e * GLINT_WIDTH, sum[e], GLINT_WIDTH))
        }
        for (; j < width; j++) {
            y[j] = 0.0f;
            for (size_t row = 0; row < width; row++) y[j] += q[row] * memory[row * width + j];
        }
    }
}

/* low_t = s_t / n_t, s_t = g ⊙ s_{t−1} + x, n_t = (1 − gᵗ) / (1 − g); then x + low + β² (x − low). */
static void NAMED(low_pass)(const glint_model *model, const float *x, float t, float *sums,
                            float *y) {
    const float *const *of = model->vectors;
    ALL_OF(model->d,
        const floats sum = GET(sums) * GET(of[DECAY]) + GET(x);
        const floats low = sum * GET(of[FRESH]) / (1.0f - f_exp(t * GET(of[LOG_DECAY])));
        PUT(y, GET(of[OWN]) * GET(x) + GET(of[TREND]) * low);
        PUT(sums, sum);
    );
}

/* Eq. 1: r, z = σ(· + ·), n = tanh(· + r ⊙ ·), h = n + z ⊙ (h − n). */
static void NAMED(gru_step)(const float *input, const float *past, size_t n, float *h) {
    ALL_OF(n,
        const floats r = f_sigmoid(GET(input) + GET(past));
        const floats z = f_sigmoid(GET(input + n) + GET(past + n));
        const floats new = f_tanh(GET(input + 2 * n) + r * GET(past + 2 * n));
        PUT(h, new + z * (GET(h) - new));
    );
}

static void NAMED(silu)(const float *x, size_t n, float *y) {
    ALL_OF(n, const floats part = GET(x); PUT(y, part * f_sigmoid(part)););
}

static void NAMED(gelu_times)(const float *x, const float *a, const float *b, size_t n, float *y) {
    ALL_OF(n, PUT(y, f_gelu(GET(x)) * (b ? GET(a) + GET(b) : GET(a))););
}

static void NAMED(adjust)(const float *inverse, const float *bias, size_t n, float *scores) {
    ALL_OF(n,
        const floats score = inverse ? GET(scores) * GET(inverse) : GET(scores);
        PUT(scores, bias ? score + GET(bias) : score);
    );
}

static void NAMED(peaks)(const float *scores, size_t n, size_t few, float *peaks) {
    for (size_t i = 0; i < few; i += GLINT_WIDTH) {
        floats peak = -__builtin_inff() - (floats){0};
        for (size_t at = i; at < n; at += few) peak = f_max(f_get(scores + at, GLINT_WIDTH), peak);
        f_put(peaks + i, peak, GLINT_WIDTH);
    }
}

static void NAMED(places)(const float *scores, const int32_t *ids, size_t n, int32_t *place) {
    for (size_t i = 0; i < n; i += GLINT_WIDTH) {
        const floats mine = f_get(scores + i, GLINT_WIDTH);
        ints count = {0};
        for (size_t j = 0; j < n; j++) {
            count -= mine < scores[j];
            if (ids) count -= (mine == scores[j]) & (i_get(ids + i) > ids[j]);
        }
        __builtin_memcpy(place + i, &count, sizeof count);
    }
}

const glint_kernels NAMED(glint) = {
    .name = GLINT_NAME, .linear_int8 = NAMED(linear_int8), .linear_fp32 = NAMED(linear_fp32),
    .quantize = NAMED(quantize), .layer_norm = NAMED(layer_norm), .unit_heads = NAMED(unit_heads),
    .remember = NAMED(remember), .recall = NAMED(recall), .low_pass = NAMED(low_pass),
    .gru_step = NAMED(gru_step), .silu = NAMED(silu), .gelu_times = NAMED(gelu_times),
    .sum = NAMED(sum), .adjust = NAMED(adjust), .peaks = NAMED(peaks), .places = NAMED(places),
};

#undef NAMED
#undef GLINT_NAME
#undef GLINT_WIDTH
#undef GLINT_TILE
#undef GLINT_OFFSET
#undef DOT
#undef NARROW
#undef MAX
#undef MIN
