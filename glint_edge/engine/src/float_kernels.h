/* What is computed in float, once for each set of kernels; lanes.h says how it becomes that set's.
 *
 * `internal.h` says what each function computes. A sum over n elements has 16 lanes.
 */

/* The range is widened to hold 0, so that zeros stay exact; quantization/int8.py has the same. */
static glint_step NAMED(quantize)(const float *x, size_t n, int8_t *q) {
    fsums low = {0}, high = {0};
    FOR_LANES(n,
        const fparts part = {GET(x)};
        EACH(low.at[e] = PART_MIN(part.at[e], low.at[e]);
             high.at[e] = PART_MAX(part.at[e], high.at[e]))
    );
    const float least = f_least(low);
    float step = (f_most(high) - least) / 255.0f;
    step = step > FLT_EPSILON ? step : FLT_EPSILON;
    const float inverse = 1.0f / step;
    float lowest = least * inverse; /* from −255 to 0, but in a damaged file */
    lowest = lowest > -255.0f ? lowest : -255.0f;
    const int32_t zero = GLINT_OFFSET - 128 - (bits_of(lowest + ROUNDER) - bits_of(ROUNDER));
    FOR_LANES(n,
        const ints level = (ints)((words)f_round(GET(x) * inverse) + (uint32_t)zero);
        const ints above = i_max(level, i_all(GLINT_OFFSET - 128));
        narrow(-i_max(-above, i_all(-GLINT_OFFSET - 127)), q + i);
    );
    return (glint_step){step, zero};
}

/* LayerNorm: (x − mean) / √(variance + ε) ⊙ weight + bias. */
static void NAMED(layer_norm)(const float *x, size_t n, float eps, const float *weight,
                              const float *bias, float *y) {
    fsums sum = {0}, squares = {0};
    FOR_LANES(n, sum = added(sum, GET(x)););
    const float mean = f_sum(sum) / (float)n;
    FOR_LANES(n, PUT(y, GET(x) - mean); squares = added(squares, GET(y) * GET(y)););
    const float inverse = inverse_root(f_sum(squares) / (float)n + eps);
    FOR_LANES(n, PUT(y, GET(y) * inverse * GET(weight) + GET(bias)););
}

/* Eq. 2: elu(x) = max(x, 0) + exp(min(x, 0)) − 1, by head over its length. */
static void NAMED(unit_heads)(const float *x, size_t heads, size_t width, float *y) {
    const floats zero = {0};
    for (size_t head = 0; head < heads; head++, x += width, y += width) {
        fsums squares = {0};
        FOR_LANES(width,
            PUT(y, f_max(GET(x), zero) + (f_exp(f_min(GET(x), zero)) - 1.0f));
            squares = added(squares, GET(y) * GET(y));
        );
        const float inverse = inverse_root(f_sum(squares) + 1e-20f);
        FOR_LANES(width, PUT(y, GET(y) * inverse););
    }
}

/* Σ k̂ vᵀ (eq. 2), position after position. */
static void NAMED(remember)(float *memory, const float *k, const float *v, size_t stride, size_t n,
                            size_t heads, size_t width) {
    for (size_t head = 0; head < heads; head++, k += width, v += width, memory += width * width)
        for (size_t t = 0; t < n; t++)
            FOR_LANES(width,
                const floats value = GET(v + t * stride);
                for (size_t row = 0; row < width; row++)
                    PUT(memory + row * width, GET(memory + row * width) + k[t * stride + row] * value);
            );
}

/* q̂ (k̂ᵀ v) (eq. 2). */
static void NAMED(recall)(const float *memory, const float *q, size_t heads, size_t width,
                          float *y) {
    for (size_t head = 0; head < heads; head++, q += width, y += width, memory += width * width)
        FOR_LANES(width,
            fsums sum = {0};
            for (size_t row = 0; row < width; row++)
                sum = added(sum, q[row] * GET(memory + row * width));
            fparts all;
            EACH(all.at[e] = sum.at[e])
            PUT(y, all.all);
        );
}

/* low_t = s_t / n_t, s_t = g ⊙ s_{t−1} + x, n_t = (1 − gᵗ) / (1 − g); then x + low + β² (x − low). */
static void NAMED(low_pass)(const glint_model *model, const float *x, float t, float *sums,
                            float *y) {
    const float *const *of = model->vectors;
    FOR_LANES(model->d,
        const floats sum = GET(sums) * GET(of[DECAY]) + GET(x);
        const floats low = sum * GET(of[FRESH]) / (1.0f - f_exp(t * GET(of[LOG_DECAY])));
        PUT(y, GET(of[OWN]) * GET(x) + GET(of[TREND]) * low);
        PUT(sums, sum);
    );
}

/* Eq. 1: r, z = σ(· + ·), n = tanh(· + r ⊙ ·), h = n + z ⊙ (h − n). */
static void NAMED(gru_step)(const float *input, const float *past, size_t n, float *h) {
    FOR_LANES(n,
        const floats r = f_sigmoid(GET(input) + GET(past));
        const floats z = f_sigmoid(GET(input + n) + GET(past + n));
        const floats new = f_tanh(GET(input + 2 * n) + r * GET(past + 2 * n));
        PUT(h, new + z * (GET(h) - new));
    );
}

static void NAMED(silu)(const float *x, size_t n, float *y) {
    FOR_LANES(n, PUT(y, GET(x) * f_sigmoid(GET(x))););
}

static void NAMED(gelu_times)(const float *x, const float *a, const float *b, size_t n, float *y) {
    FOR_LANES(n, PUT(y, f_gelu(GET(x)) * (b ? GET(a) + GET(b) : GET(a))););
}

static void NAMED(add)(const float *a, const float *b, size_t n, float *y) {
    FOR_LANES(n, PUT(y, GET(a) + GET(b)););
}

static void NAMED(multiply)(const float *a, const float *b, size_t n, float *y) {
    FOR_LANES(n, PUT(y, GET(a) * GET(b)););
}

static void NAMED(scale)(const float *x, float by, size_t n, float *y) {
    FOR_LANES(n, PUT(y, GET(x) * by););
}

static void NAMED(add_scaled)(const float *x, float by, size_t n, float *y) {
    FOR_LANES(n, PUT(y, GET(y) + GET(x) * by););
}

static float NAMED(sum_of_squares)(const float *x, size_t n) {
    fsums sum = {0};
    FOR_LANES(n, sum = added(sum, GET(x) * GET(x)););
    return f_sum(sum);
}

/* A float's bits are an integer of the same order, but that of negative ones is turned round. */
static void NAMED(keys)(const float *scores, const float *inverse, const float *bias, size_t n,
                        int32_t *keys) {
    FOR_LANES(n,
        floats score = f_load(scores + i);
        if (inverse) score *= GET(inverse);
        if (bias) score += GET(bias);
        score += 0.0f;  /* no −0 */
        const ints bits = (ints)score, positive = i_from(bits, 0);
        const ints is_offered = f_above(score, float_of((int32_t)0xff800000u));
        const ints key = bits ^ (~positive & INT32_MAX);
        i_store(keys + i, i_select(is_offered, key, i_all(INT32_MIN)));
    );
}

/* −1 in the lanes of the keys from `i` that are ≥ least and before n. */
INLINE ints from_least(const int32_t *keys, size_t i, size_t n, int32_t least) {
    const int32_t last = n - i < LANES ? (int32_t)(n - i) - 1 : LANES - 1;
    return i_from(i_load(keys + i), least) & i_upto(NUMBERS, last);
}

static size_t NAMED(count_from)(const int32_t *keys, size_t n, int32_t least) {
    isums count = {0};
    for (size_t i = 0; i < n; i += LANES) count = counted(count, from_least(keys, i, n, least));
    return (size_t)i_sum(count);
}

#ifndef GLINT_OWN_KEEP
/* The masked ones of 16 keys and of their ids, or of the numbers from `first` on; how many. */
INLINE size_t keep(ints mask, const int32_t *keys, const int32_t *ids, int32_t first,
                   int32_t *best, int32_t *best_ids) {
    uint32_t bits = (uint32_t)i_sum(counted((isums){0}, mask & POWERS));
    size_t count = 0;
    for (int at = 0; bits; at++, bits >>= 1) {
        best[count] = keys[at];
        best_ids[count] = ids ? ids[at] : first + at;
        count += bits & 1;
    }
    return count;
}
#endif

static size_t NAMED(collect)(const int32_t *keys, const int32_t *ids, int32_t first, size_t n,
                             int32_t least, int32_t *best, int32_t *best_ids) {
    size_t count = 0;
    for (size_t i = 0; i < n; i += LANES)
        count += keep(from_least(keys, i, n, least), keys + i, ids ? ids + i : NULL,
                      first + (int32_t)i, best + count, best_ids + count);
    return count;
}

static void NAMED(peaks)(const int32_t *keys, int32_t *peaks) {
    for (size_t i = 0; i < PEAKS; i += GLINT_WIDTH) {
        ipart most = i_part(keys + i);
        for (size_t at = i + PEAKS; at < SCORED; at += PEAKS)
            most = PART_SELECT(i_part(keys + at) > most, i_part(keys + at), most);
        __builtin_memcpy(peaks + i, &most, sizeof most);
    }
}

/* The range of the keys is halved until it is narrow enough. */
static int32_t NAMED(about_kth)(const int32_t *keys, size_t n, size_t k, size_t enough,
                                int32_t least) {
    int64_t low = INT32_MAX, high = least;
    for (size_t i = 0; i < n; i++) {
        high = keys[i] > high ? keys[i] : high;
        low = keys[i] < low ? keys[i] : low;
    }
    low = low > least ? low : least;
    high++;
    for (size_t count = n; count > enough && high - low > 1;) {
        const int64_t middle = (low + high) >> 1;
        const size_t from = NAMED(count_from)(keys, n, (int32_t)middle);
        if (from < k) high = middle;
        else low = middle, count = from;
    }
    return (int32_t)low;
}

static void NAMED(places)(const int32_t *keys, size_t n, int32_t *place) {
    for (size_t i = 0; i < n; i += LANES) {
        const ints mine = i_load(keys + i);
        isums count = {0};
        size_t j = 0;
        for (; j < i; j++) count = counted(count, i_upto(mine, keys[j]));
        for (; j < n && j < i + LANES; j++) {
            const ints above = mine - i_upto(NUMBERS, (int32_t)(j - i));
            count = counted(count, i_upto(above, keys[j]));
        }
        for (; j < n; j++) count = counted(count, i_upto(mine + 1, keys[j]));
        __builtin_memcpy(place + i, &count, sizeof count);
    }
}

const glint_kernels NAMED(glint) = {
    .name = GLINT_NAME, .linear_int8 = NAMED(linear_int8), .linear_fp32 = NAMED(linear_fp32),
    .quantize = NAMED(quantize), .layer_norm = NAMED(layer_norm), .unit_heads = NAMED(unit_heads),
    .remember = NAMED(remember), .recall = NAMED(recall), .low_pass = NAMED(low_pass),
    .gru_step = NAMED(gru_step), .silu = NAMED(silu), .gelu_times = NAMED(gelu_times),
    .add = NAMED(add), .multiply = NAMED(multiply), .scale = NAMED(scale),
    .add_scaled = NAMED(add_scaled), .sum_of_squares = NAMED(sum_of_squares), .keys = NAMED(keys),
    .count_from = NAMED(count_from), .collect = NAMED(collect), .about_kth = NAMED(about_kth),
    .peaks = NAMED(peaks), .places = NAMED(places),
};

#undef GLINT_NAME
#undef GLINT_SUFFIX
#undef GLINT_WIDTH
#undef GLINT_TILE
#undef GLINT_OFFSET
#undef GLINT_OWN_KEEP
#undef PART_MAX
#undef PART_MIN
