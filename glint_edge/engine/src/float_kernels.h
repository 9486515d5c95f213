/* What is computed in float, once for each set of kernels; lanes.h says how it becomes that set's.
 *
 * `internal.h` says what each function computes. A sum over n elements has 16 lanes.
 */
#define FOR_LANES(n) for (size_t i = 0, some; i < (n) && (some = (n) - i, 1); i += LANES)

static void NAMED(linear_fp32)(const glint_layer *layer, size_t first, size_t blocks,
                               const float *x, size_t x_stride, size_t n, float *y,
                               size_t y_stride) {
    enum { TOGETHER = GLINT_WIDTH >= 8 ? 4 : 2 };  /* blocks, for as many sums at a time */
    const size_t columns = layer->columns, size = columns * BLOCK;
    const float *weights = (const float *)layer->weights + first * size;
    const float *bias = layer->bias + first * BLOCK;
    for (size_t b = 0; b < blocks; b += TOGETHER) {
        const float *w = weights + b * size;
        size_t count = blocks - b < TOGETHER ? blocks - b : TOGETHER;
        for (size_t row = 0; row < n; row++) {
            const float *in = x + row * x_stride;
            float *out = y + row * y_stride + b * BLOCK;
            floats sum[TOGETHER];
            for (int t = 0; t < TOGETHER; t++) sum[t] = f_all(0.0f);
            if (count == TOGETHER)
                for (size_t c = 0; c < columns; c++)
                    for (int t = 0; t < TOGETHER; t++)
                        sum[t] = f_add(sum[t], f_mul(f_load(w + (size_t)t * size + c * BLOCK),
                                                     f_all(in[c])));
            else
                for (size_t t = 0; t < count; t++)
                    for (size_t c = 0; c < columns; c++)
                        sum[t] = f_add(sum[t], f_mul(f_load(w + t * size + c * BLOCK),
                                                     f_all(in[c])));
            for (size_t t = 0; t < count; t++)
                f_store(out + t * BLOCK, f_add(sum[t], f_load(bias + (b + t) * BLOCK)));
        }
    }
}

/* The range is widened to hold 0, so that zeros stay exact; quantization/int8.py has the same. */
static glint_step NAMED(quantize)(const float *x, size_t n, int8_t *q) {
    float least[LANES], most[LANES];
    floats low = f_all(0.0f), high = low;
    FOR_LANES(n) {
        floats part = f_load_some(x + i, some);
        low = f_min(part, low);
        high = f_max(part, high);
    }
    f_store(least, low);
    f_store(most, high);
    for (int e = 1; e < LANES; e++) {
        least[0] = least[e] < least[0] ? least[e] : least[0];
        most[0] = most[e] > most[0] ? most[e] : most[0];
    }
    float step = (most[0] - least[0]) / 255.0f;
    step = step > FLT_EPSILON ? step : FLT_EPSILON;
    float inverse = 1.0f / step;
    float lowest = least[0] * inverse; /* from −255 to 0, but in a damaged file */
    lowest = lowest > -255.0f ? lowest : -255.0f;
    const int32_t zero = -128 - (bits_of(lowest + ROUNDER) - bits_of(ROUNDER));
    FOR_LANES(n) {
        int32_t level[LANES];
        ints whole = i_add(f_round(f_mul(f_load_some(x + i, some), f_all(inverse))), i_all(zero));
        i_store(level, i_min(i_max(whole, i_all(-128)), i_all(127)));
        for (int e = 0; e < LANES; e++) q[i + (size_t)e] = (int8_t)level[e];
    }
    return (glint_step){step, zero};
}

/* LayerNorm: (x − mean) / √(variance + ε) ⊙ weight + bias. */
static void NAMED(layer_norm)(const float *x, size_t n, float eps, const float *weight,
                              const float *bias, float *y) {
    floats sum = f_all(0.0f);
    FOR_LANES(n) sum = f_add(sum, f_load_some(x + i, some));
    const floats mean = f_all(f_sum(sum) / (float)n);
    sum = f_all(0.0f);
    FOR_LANES(n) {
        f_store_some(y + i, f_sub(f_load_some(x + i, some), mean), some);
        floats centred = f_load_some(y + i, some);
        sum = f_add(sum, f_mul(centred, centred));
    }
    const floats inverse = f_all(inverse_root(f_sum(sum) / (float)n + eps));
    FOR_LANES(n) {
        floats normal = f_mul(f_load_some(y + i, some), inverse);
        normal = f_add(f_mul(normal, f_load_some(weight + i, some)), f_load_some(bias + i, some));
        f_store_some(y + i, normal, some);
    }
}

/* Eq. 2: elu(x) = max(x, 0) + exp(min(x, 0)) − 1, by head over its length. */
static void NAMED(unit_heads)(const float *x, size_t heads, size_t width, float *y) {
    for (size_t head = 0; head < heads; head++, x += width, y += width) {
        floats sum = f_all(0.0f), zero = f_all(0.0f);
        FOR_LANES(width) {
            floats part = f_load_some(x + i, some);
            floats e = f_add(f_max(part, zero), f_sub(f_exp(f_min(part, zero)), f_all(1.0f)));
            f_store_some(y + i, e, some);
            e = f_load_some(y + i, some);
            sum = f_add(sum, f_mul(e, e));
        }
        const floats inverse = f_all(inverse_root(f_sum(sum) + 1e-20f));
        FOR_LANES(width) f_store_some(y + i, f_mul(f_load_some(y + i, some), inverse), some);
    }
}

/* Σ k̂ vᵀ (eq. 2), position after position. */
static void NAMED(remember)(float *memory, const float *k, const float *v, size_t stride, size_t n,
                            size_t heads, size_t width) {
    for (size_t row = 0; row < heads * width; row++, memory += width) {
        const float *values = v + row / width * width;
        FOR_LANES(width) {
            floats sum = f_load_some(memory + i, some);
            for (size_t t = 0; t < n; t++)
                sum = f_add(sum, f_mul(f_all(k[t * stride + row]),
                                       f_load_some(values + t * stride + i, some)));
            f_store_some(memory + i, sum, some);
        }
    }
}

/* q̂ (k̂ᵀ v) (eq. 2). */
static void NAMED(recall)(const float *memory, const float *q, size_t heads, size_t width,
                          float *y) {
    for (size_t head = 0; head < heads; head++, q += width, y += width, memory += width * width)
        FOR_LANES(width) {
            floats sum = f_all(0.0f);
            for (size_t row = 0; row < width; row++)
                sum = f_add(sum, f_mul(f_all(q[row]),
                                       f_load_some(memory + row * width + i, some)));
            f_store_some(y + i, sum, some);
        }
}

/* low_t = s_t / n_t, s_t = g ⊙ s_{t−1} + x, n_t = (1 − gᵗ) / (1 − g); then x + low + β² (x − low). */
static void NAMED(low_pass)(const glint_model *model, const float *x, float t, float *sums,
                            float *y) {
    const float *const *of = model->vectors;
    const floats one = f_all(1.0f), time = f_all(t);
    FOR_LANES(model->d) {
        floats own = f_load_some(x + i, some), sum = f_load_some(sums + i, some);
        sum = f_add(f_mul(sum, f_load_some(of[DECAY] + i, some)), own);
        f_store_some(sums + i, sum, some);
        floats faded = f_exp(f_mul(time, f_load_some(of[LOG_DECAY] + i, some)));
        floats low = f_div(f_mul(sum, f_load_some(of[FRESH] + i, some)), f_sub(one, faded));
        own = f_mul(f_load_some(of[OWN] + i, some), own);
        low = f_mul(f_load_some(of[TREND] + i, some), low);
        f_store_some(y + i, f_add(own, low), some);
    }
}

/* Eq. 1: r, z = σ(· + ·), n = tanh(· + r ⊙ ·), h = n + z ⊙ (h − n). */
static void NAMED(gru_step)(const float *input, const float *past, size_t n, float *h) {
    FOR_LANES(n) {
        floats r = f_sigmoid(f_add(f_load_some(input + i, some), f_load_some(past + i, some)));
        floats z = f_sigmoid(f_add(f_load_some(input + n + i, some),
                                   f_load_some(past + n + i, some)));
        floats new = f_tanh(f_add(f_load_some(input + 2 * n + i, some),
                                  f_mul(r, f_load_some(past + 2 * n + i, some))));
        floats before = f_load_some(h + i, some);
        f_store_some(h + i, f_add(new, f_mul(z, f_sub(before, new))), some);
    }
}

static void NAMED(silu)(const float *x, size_t n, float *y) {
    FOR_LANES(n) {
        floats part = f_load_some(x + i, some);
        f_store_some(y + i, f_mul(part, f_sigmoid(part)), some);
    }
}

static void NAMED(gelu_times)(const float *x, const float *a, const float *b, size_t n, float *y) {
    FOR_LANES(n) {
        floats by = f_load_some(a + i, some);
        if (b) by = f_add(by, f_load_some(b + i, some));
        f_store_some(y + i, f_mul(f_gelu(f_load_some(x + i, some)), by), some);
    }
}

static void NAMED(add)(const float *a, const float *b, size_t n, float *y) {
    FOR_LANES(n) f_store_some(y + i, f_add(f_load_some(a + i, some), f_load_some(b + i, some)), some);
}

static void NAMED(multiply)(const float *a, const float *b, size_t n, float *y) {
    FOR_LANES(n) f_store_some(y + i, f_mul(f_load_some(a + i, some), f_load_some(b + i, some)), some);
}

static void NAMED(scale)(const float *x, float by, size_t n, float *y) {
    FOR_LANES(n) f_store_some(y + i, f_mul(f_load_some(x + i, some), f_all(by)), some);
}

static void NAMED(add_scaled)(const float *x, float by, size_t n, float *y) {
    FOR_LANES(n) {
        floats sum = f_add(f_load_some(y + i, some), f_mul(f_load_some(x + i, some), f_all(by)));
        f_store_some(y + i, sum, some);
    }
}

static float NAMED(sum_of_squares)(const float *x, size_t n) {
    floats sum = f_all(0.0f);
    FOR_LANES(n) {
        floats part = f_load_some(x + i, some);
        sum = f_add(sum, f_mul(part, part));
    }
    return f_sum(sum);
}

/* A float's bits are an integer of the same order, but that of negative ones is turned round. */
static void NAMED(keys)(const float *scores, const float *inverse, const float *bias, size_t n,
                        int32_t *keys) {
    FOR_LANES(n) {
        floats score = f_load_some(scores + i, some);
        if (inverse) score = f_mul(score, f_load_some(inverse + i, some));
        if (bias) score = f_add(score, f_load_some(bias + i, some));
        score = f_add(score, f_all(0.0f));  /* no −0 */
        ints bits = f_bits(score), negative = i_from(i_all(-1), bits);
        ints key = i_xor(bits, i_and(negative, i_all(INT32_MAX)));
        ints above = f_less(f_all(float_of((int32_t)0xff800000u)), score);  /* not −∞, and a number */
        key = i_or(i_and(key, above), i_and(i_xor(above, i_all(-1)), i_all(INT32_MIN)));
        i_store(keys + i, key);
    }
}

static size_t NAMED(count_from)(const int32_t *keys, size_t n, int32_t least) {
    ints count = i_all(0);
    size_t i = 0, more = 0;
    for (; i + LANES <= n; i += LANES) count = i_sub(count, i_from(i_load(keys + i), i_all(least)));
    for (; i < n; i++) more += keys[i] >= least;
    return (size_t)i_sum(count) + more;
}

static size_t NAMED(collect)(const int32_t *keys, size_t n, int32_t least, int32_t first,
                             int32_t *best, int32_t *ids) {
    size_t count = 0;
    for (size_t i = 0; i < n; i += LANES) {
        size_t end = n - i < LANES ? n : i + LANES;
        if (end == i + LANES && !i_sum(i_from(i_load(keys + i), i_all(least)))) continue;
        for (size_t at = i; at < end; at++) {
            best[count] = keys[at];
            ids[count] = first + (int32_t)at;
            count += keys[at] >= least;
        }
    }
    return count;
}

static void NAMED(places)(const int32_t *keys, size_t n, int32_t *place) {
    for (size_t i = 0; i < n; i++)
        place[i] = (int32_t)(NAMED(count_from)(keys, i, keys[i])
                             + NAMED(count_from)(keys + i + 1, n - i - 1, keys[i] + 1));
}

/* The set, which has a `linear_int8` of its own. */
#define GLINT_KERNELS(name_)                                                                      \
    {                                                                                             \
        .name = name_, .linear_int8 = NAMED(linear_int8), .linear_fp32 = NAMED(linear_fp32),      \
        .quantize = NAMED(quantize), .layer_norm = NAMED(layer_norm),                             \
        .unit_heads = NAMED(unit_heads), .remember = NAMED(remember), .recall = NAMED(recall),    \
        .low_pass = NAMED(low_pass), .gru_step = NAMED(gru_step), .silu = NAMED(silu),            \
        .gelu_times = NAMED(gelu_times), .add = NAMED(add), .multiply = NAMED(multiply),          \
        .scale = NAMED(scale), .add_scaled = NAMED(add_scaled),                                   \
        .sum_of_squares = NAMED(sum_of_squares), .keys = NAMED(keys),                             \
        .count_from = NAMED(count_from), .collect = NAMED(collect), .places = NAMED(places),      \
    }
