/* GLINT-RU as a stream (docs/design.md): `append_many`, and the hidden that `recommend` scores. */
#include "workspace.h"

/* The state's parts, in order; `glint_edge/model/state.py` has the same. */
typedef struct history {
    float *count, *inputs, *h, *g, *item, *sums, *memory;
} history;

static history parts_of(const glint_model *model, float *state) {
    const size_t d = model->d, p = (model->kernel - 1) / 2;
    history of = {.count = state, .inputs = state + 1};
    of.h = of.inputs + 2 * p * d;
    of.g = of.h + d;
    of.item = of.g + d;
    of.sums = of.item + d;
    of.memory = of.sums + (model->has_low_pass ? d : 0);
    return of;
}

/* The next `bytes` of a workspace, at a multiple of 64. */
static void *take(uint8_t **at, size_t bytes) {
    uint8_t *from = *at;
    *at += (bytes + 63) / 64 * 64;
    return from;
}

size_t glint_lay_out(const glint_model *model, void *base, workspace *parts) {
    const size_t d = model->d, p = (model->kernel - 1) / 2, w = whole_blocks(d);
    const size_t rows = 2 * p > TILE ? 2 * p : TILE, number = sizeof(float);
    uint8_t *at = (uint8_t *)base + (64 - (uintptr_t)base % 64) % 64;
    workspace of = {.wide = w, .item_wide = whole_blocks(3 * d),
                    .step_wide = whole_blocks(3 * d + d / 2)};
    of.q_wide = whole_blocks(model->kernel * d);
    of.q = take(&at, rows * of.q_wide);
    of.steps = take(&at, rows * sizeof(glint_step));
    of.x = take(&at, TILE * w * number);
    of.item = take(&at, TILE * of.item_wide * number);
    of.conv = take(&at, rows * w * number);
    of.step = take(&at, rows * of.step_wide * number);
    of.inputs = take(&at, (2 * p + rows) * d * number);
    of.h = take(&at, w * number);
    of.past = take(&at, of.item_wide * number);
    of.gate = take(&at, w * number);
    of.out = take(&at, w * number);
    of.gated = take(&at, (2 * p + 1) * d * number);
    of.memory = model->has_pads ? take(&at, d * (d / model->heads) * number) : NULL;
    of.scores = take(&at, SCORED * number);
    of.peaks = take(&at, PEAKS * number);
    of.heights = take(&at, PEAKS * number);
    of.ids = take(&at, SCORED * number);
    of.best = take(&at, MANY * number);
    of.places = take(&at, MANY * number);
    of.order = take(&at, MANY * number);
    if (parts) *parts = of;
    return (size_t)(at - (uint8_t *)base) + 63;
}

size_t glint_workspace_bytes(const glint_model *model) {
    return glint_lay_out(model, (void *)64, NULL);
}

static void copy(const float *from, size_t n, float *to) {
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static void clear(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = 0.0f;
}

/* y = x Wᵀ + b of n rows; as int8, each row of x is rounded first. */
static void linear(const glint_model *model, const workspace *at, uint32_t id, const float *x,
                   size_t x_wide, size_t n, float *y, size_t y_wide) {
    const glint_layer *layer = &model->layers[id];
    const glint_kernels *kernels = model->kernels;
    if (!model->is_int8) {
        kernels->linear_fp32(layer, 0, layer->blocks, x, x_wide, at->steps, n, y, y_wide);
        return;
    }
    for (size_t i = 0; i < n; i++)
        at->steps[i] = kernels->quantize(x + i * x_wide, layer->columns, at->q + i * at->q_wide);
    kernels->linear_int8(layer, 0, layer->blocks, at->q, at->q_wide, at->steps, n, y, y_wide);
}

/* A row of the table; what is no item is the unknown one, whose row is that of 0. */
static void table_row(const glint_model *model, const workspace *at, int32_t item, float *x) {
    const glint_layer *table = &model->layers[TABLE];
    const uint32_t row = item < 0 ? 0 : (uint32_t)item < model->rows ? (uint32_t)item
                                                                      : model->rows - 1;
    const size_t block = row / BLOCK, r = row % BLOCK;
    if (!model->is_int8) {
        const float *w = (const float *)table->weights + block * table->columns * BLOCK + r;
        for (size_t c = 0; c < model->d; c++) x[c] = w[c * BLOCK];
        return;
    }
    const int8_t *w = (const int8_t *)table->weights + (block * table->groups * BLOCK + r) * GROUP;
    for (size_t group = 0; group < table->groups; group++)
        __builtin_memcpy(at->q + group * GROUP, w + group * BLOCK * GROUP, GROUP);
    const float scale = table->scale[row];
    for (size_t c = 0; c < model->d; c++) x[c] = (float)at->q[c] * scale;
}

/* G of a position (eq. 7, 9) from the gate's input and the state, which `at->h` is. */
static void select_into(const glint_model *model, const workspace *at, const float *gate,
                        float *g) {
    model->kernels->silu(gate, model->d / 2, at->gate);
    linear(model, at, GATE_UP, at->gate, 0, 1, at->out, 0);
    linear(model, at, GRU_OUT, at->h, 0, 1, at->past, 0);
    for (size_t i = 0; i < model->d; i++) g[i] = at->out[i] * at->past[i];
}

/* Eq. 5 and the input's part of eq. 1 and 7, of n positions whose windows stand d apart. */
static void convolve(const glint_model *model, const workspace *at, size_t n) {
    linear(model, at, CONV_IN, at->inputs, model->d, n, at->conv, at->wide);
    linear(model, at, STEP_IN, at->conv, at->wide, n, at->step, at->step_wide);
}

/* Eq. 1 on `at->h`, of position `row` of `at->step`. */
static void step(const glint_model *model, const workspace *at, size_t row) {
    linear(model, at, STEP_STATE, at->h, 0, 1, at->past, 0);
    model->kernels->gru_step(at->step + row * at->step_wide, at->past, model->d, at->h);
}

/* X of an item (docs/design.md): its row, in the edge variant normalised and filtered. */
static void embed(const glint_model *model, const workspace *at, int32_t item, float t,
                  float *sums, float *x) {
    const float *const *of = model->vectors;
    const glint_kernels *kernels = model->kernels;
    const size_t d = model->d;
    table_row(model, at, item, x);
    if (model->has_input_norm)
        kernels->layer_norm(x, NULL, d, model->norm_eps, of[INPUT_WEIGHT], of[INPUT_BIAS], x);
    if (!model->has_low_pass) return;
    kernels->low_pass(model, x, t, sums, at->out);
    kernels->layer_norm(at->out, NULL, d, model->norm_eps, of[LOW_PASS_WEIGHT], of[LOW_PASS_BIAS],
                        x);
}

/* Up to TILE items further; the gated output of the last position but p if it is asked for. */
static void append_tile(const glint_model *model, const workspace *at, float *state,
                        const int32_t *items, size_t n, int gated) {
    const size_t d = model->d, p = (model->kernel - 1) / 2, width = d / model->heads;
    const glint_kernels *kernels = model->kernels;
    const history of = parts_of(model, state);
    const float before = *of.count;
    for (size_t i = 0; i < n; i++)
        embed(model, at, items[i], before + (float)(i + 1), of.sums, at->x + i * at->wide);
    copy(at->x + (n - 1) * at->wide, d, of.item);

    linear(model, at, ITEM_IN, at->x, at->wide, n, at->item, at->item_wide);
    copy(of.inputs, 2 * p * d, at->inputs);
    for (size_t i = 0; i < n; i++) {
        float *ukv = at->item + i * at->item_wide;
        copy(ukv, d, at->inputs + (2 * p + i) * d);
        kernels->unit_heads(ukv + d, model->heads, width);
    }
    kernels->remember(of.memory, at->item + d, at->item + 2 * d, at->item_wide, n, model->heads,
                      width);

    /* Position t − p has its right neighbours now: its step is final. */
    convolve(model, at, n);
    copy(of.h, d, at->h);
    for (size_t i = 0; i < n; i++)
        if (before + (float)i >= (float)p) step(model, at, i);
    copy(at->h, d, of.h);
    if (gated && before + (float)(n - 1) >= (float)p)
        select_into(model, at, at->step + (n - 1) * at->step_wide + 3 * d, of.g);
    copy(at->inputs + n * d, 2 * p * d, of.inputs);
    *of.count = before + (float)n;
}

void glint_append_many(const glint_model *model, void *memory, float *state, const int32_t *items,
                       size_t count) {
    workspace at;
    glint_lay_out(model, memory, &at);
    for (size_t done = 0; done < count; done += TILE) {
        const size_t left = count - done;
        append_tile(model, &at, state, items + done, left < TILE ? left : TILE, left <= TILE);
    }
}

void glint_append(const glint_model *model, void *memory, float *state, int32_t item) {
    glint_append_many(model, memory, state, &item, 1);
}

/* 1 where pad `number` stands right of t items (reference padding), else 0. */
static float pad_stands(const glint_model *model, float t, size_t number) {
    return (float)model->length - (float)number - t > 0.0f ? 1.0f : 0.0f;
}

/* G of what the second convolution sees: the last final position, the last p, which step as if the
 * history ended there, and the first p pads, if there are pads. */
static void provisional(const glint_model *model, const workspace *at, const history *of) {
    const size_t d = model->d, p = (model->kernel - 1) / 2, steps = model->has_pads ? 2 * p : p;
    const float t = *of->count;
    copy(of->g, d, at->gated);
    copy(of->h, d, at->h);
    copy(of->inputs, 2 * p * d, at->inputs);
    for (size_t i = 0; i < steps; i++) {
        float *right = at->inputs + (2 * p + i) * d;
        if (model->has_pads && pad_stands(model, t, i) > 0.0f)
            copy(model->vectors[PAD_INPUT], d, right);
        else
            clear(right, d);
    }
    if (steps) convolve(model, at, steps);
    for (size_t i = 0; i < steps; i++) {
        float *g = at->gated + (i + 1) * d;
        const float stands = i >= p ? pad_stands(model, t, i - p)
                                    : t + (float)i >= (float)p ? 1.0f : 0.0f;
        step(model, at, i);
        select_into(model, at, at->step + i * at->step_wide + 3 * d, g);
        if (stands > 0.0f) continue;
        clear(g, d);
        clear(at->h, d);
    }
}

/* The hidden r of a history (eq. 12), into `at->h`; zeros without one. */
static void hidden(const glint_model *model, const workspace *at, const float *state) {
    const size_t d = model->d, width = d / model->heads;
    const glint_kernels *kernels = model->kernels;
    const float *const *of = model->vectors;
    const float eps = model->norm_eps;
    const history before = parts_of(model, (float *)(uintptr_t)state);
    float *q = at->item, *a = at->x, *z = at->h, *inner = at->item;
    clear(z, d);
    if (!(*before.count > 0.0f)) return;

    provisional(model, at, &before);
    linear(model, at, CONV_OUT, at->gated, 0, 1, at->past, 0);  /* α₁ Y (eq. 8, 10) */

    linear(model, at, ITEM_OUT, before.item, 0, 1, q, 0);
    kernels->unit_heads(q, model->heads, width);
    const float *memory = before.memory;
    const float pads = (float)model->length - *before.count;
    if (model->has_pads && pads > 0.0f) {
        const float *each = of[PAD_MEMORY];
        for (size_t i = 0; i < d * width; i++) at->memory[i] = memory[i] + each[i] * pads;
        memory = at->memory;
    }
    kernels->recall(memory, q, model->heads, width, at->conv);  /* q̂ (k̂ᵀ v) (eq. 2) */
    linear(model, at, ATTENTION_OUT, at->conv, 0, 1, at->out, 0);
    kernels->layer_norm(before.item, at->out, d, eps, of[ATTENTION_WEIGHT], of[ATTENTION_BIAS], a);  /* α₂ A */

    /* Eq. 11: Z = GeLU(x W2 + b2) ⊗ M, z = LN(x + Z Wz + bz). */
    kernels->gelu_times(q + d, at->past, a, d, at->conv);
    linear(model, at, MIX_OUT, at->conv, 0, 1, at->out, 0);
    kernels->layer_norm(before.item, at->out, d, eps, of[NORM_WEIGHT], of[NORM_BIAS], z);
    if (!model->has_mlp) return;

    /* Eq. 12: r = LN(z + (GeLU(z W3 + b3) ⊗ (z W4 + b4)) Wr + br). */
    linear(model, at, MLP_IN, z, 0, 1, inner, 0);
    kernels->gelu_times(inner, inner + d, NULL, d, at->conv);
    linear(model, at, MLP_OUT, at->conv, 0, 1, at->out, 0);
    kernels->layer_norm(z, at->out, d, eps, of[NORM_WEIGHT], of[NORM_BIAS], z);
}

int32_t glint_recommend(const glint_model *model, void *memory, const float *state,
                        const float *bias, int32_t k, int32_t *items, float *scores) {
    workspace at;
    glint_lay_out(model, memory, &at);
    hidden(model, &at, state);
    return glint_best(model, &at, at.h, NULL, bias, k, items, scores);
}

int32_t glint_similar(const glint_model *model, void *memory, int32_t item, const float *bias,
                      int32_t k, int32_t *items, float *scores) {
    workspace at;
    glint_lay_out(model, memory, &at);
    table_row(model, &at, item, at.h);
    const float inverse = inverse_root(model->kernels->sum(at.h, model->d, 1) + 1e-24f);
    for (size_t i = 0; i < model->d; i++) at.h[i] *= inverse;
    return glint_best(model, &at, at.h, model->vectors[INVERSE], bias, k, items, scores);
}
