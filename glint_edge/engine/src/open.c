/* A model's file: docs/engine.md says what stands where. All of it is checked here, once. */
#include "internal.h"

enum {
    VERSION = 1, HEAD = 64, ENTRY = 24, ALIGNMENT = 64, MOST_SECTIONS = 4096,
    FIRST_VECTOR = 32,  /* sections below are matrices; what a reader does not know it leaves */
    MOST_WIDTH = 16384, MOST_COLUMNS = 65535  /* 255 · 127 · 65535 fits into 31 bits */
};

typedef struct source {
    const uint8_t *bytes;
    size_t size;
} source;

static uint32_t number_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16
        | (uint32_t)bytes[3] << 24;
}

static uint64_t long_at(const uint8_t *bytes) {
    return number_at(bytes) | (uint64_t)number_at(bytes + 4) << 32;
}

/* Whether all sections, of which some may be unknown here, lie in the file. */
static int are_inside(source file) {
    const uint32_t sections = number_at(file.bytes + 48);
    if (sections > MOST_SECTIONS || sections > (file.size - HEAD) / ENTRY) return 0;
    for (uint32_t i = 0; i < sections; i++) {
        const uint8_t *entry = file.bytes + HEAD + (size_t)i * ENTRY;
        const uint64_t at = long_at(entry + 8), bytes = long_at(entry + 16);
        if (at % ALIGNMENT || at > file.size || bytes > file.size - at) return 0;
    }
    return 1;
}

/* The section of a number, which must have so many bytes; NULL: it has not, or is not there. */
static const void *section(source file, uint32_t id, uint64_t bytes) {
    const uint32_t sections = number_at(file.bytes + 48);
    for (uint32_t i = 0; i < sections; i++) {
        const uint8_t *entry = file.bytes + HEAD + (size_t)i * ENTRY;
        if (number_at(entry) != id) continue;
        return long_at(entry + 16) == bytes ? file.bytes + (size_t)long_at(entry + 8) : NULL;
    }
    return NULL;
}

static int read_config(glint_model *model, source file) {
    uint32_t *fields[] = {&model->d, &model->heads, &model->kernel, &model->length, &model->rows,
                          &model->is_int8, &model->has_input_norm, &model->has_low_pass,
                          &model->has_mlp};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i] = number_at(file.bytes + 8 + 4 * i);
    model->has_pads = number_at(file.bytes + 44) & 1;
    model->norm_eps = float_of((int32_t)number_at(file.bytes + 52));
    if (!model->d || model->d > MOST_WIDTH || model->d % 2) return GLINT_DAMAGED;
    if (!model->heads || model->d % model->heads) return GLINT_DAMAGED;
    if (model->kernel % 2 == 0 || model->kernel > MOST_COLUMNS / model->d) return GLINT_DAMAGED;
    if (!model->length || model->length > INT32_MAX) return GLINT_DAMAGED;
    if (model->rows < 3 || model->rows > INT32_MAX / 2) return GLINT_DAMAGED;
    if (model->is_int8 > 1 || model->has_input_norm > 1) return GLINT_DAMAGED;
    if (model->has_low_pass > 1 || model->has_mlp > 1) return GLINT_DAMAGED;
    return model->norm_eps >= 0.0f ? GLINT_OK : GLINT_DAMAGED;
}

/* A matrix: its numbers, the rows' scales and sums if it is of integers, and the biases. */
static int read_layer(glint_model *model, source file, uint32_t id, uint32_t rows,
                      uint32_t columns) {
    glint_layer *layer = &model->layers[id];
    *layer = (glint_layer){.rows = rows, .columns = columns, .blocks = (rows + BLOCK - 1) / BLOCK,
                           .groups = (columns + GROUP - 1) / GROUP};
    const uint64_t whole = (uint64_t)layer->blocks * BLOCK;
    const uint64_t size = model->is_int8 ? whole * layer->groups * GROUP : whole * columns * 4;
    const uint64_t row_bytes = model->is_int8 ? 12 : 4;
    const uint8_t *at = section(file, id, size + whole * row_bytes);
    if (!at) return GLINT_DAMAGED;
    layer->weights = at;
    const float *after = (const float *)(const void *)(at + (size_t)size);
    if (model->is_int8) {
        layer->scale = after;
        layer->sum = (const int32_t *)(const void *)(after + (size_t)whole);
        after += 2 * (size_t)whole;
    }
    layer->bias = after;
    return GLINT_OK;
}

static int read_layers(glint_model *model, source file) {
    const uint32_t d = model->d, p = (model->kernel - 1) / 2;
    const uint32_t taps = model->has_pads ? model->kernel : p + 1;
    const struct { uint32_t rows, columns; } shapes[GLINT_LAYERS] = {
        [ITEM_IN] = {3 * d, d}, [CONV_IN] = {d, model->kernel * d}, [STEP_IN] = {3 * d + d / 2, d},
        [STEP_STATE] = {3 * d, d}, [GATE_UP] = {d, d / 2}, [GRU_OUT] = {d, d},
        [ITEM_OUT] = {2 * d, d}, [ATTENTION_OUT] = {d, d}, [CONV_OUT] = {d, taps * d},
        [MIX_OUT] = {d, d}, [MLP_IN] = {2 * d, d}, [MLP_OUT] = {d, d}, [TABLE] = {model->rows, d},
    };
    for (uint32_t id = 0; id < GLINT_LAYERS; id++) {
        if (!model->has_mlp && (id == MLP_IN || id == MLP_OUT)) continue;
        int error = read_layer(model, file, id, shapes[id].rows, shapes[id].columns);
        if (error) return error;
    }
    return GLINT_OK;
}

static int read_vectors(glint_model *model, source file) {
    const uint64_t d = model->d, memory = d * (d / model->heads);
    const struct { uint32_t first, end; uint64_t floats; int there; } parts[] = {
        {INPUT_WEIGHT, INPUT_BIAS, d, model->has_input_norm != 0},
        {DECAY, LOW_PASS_BIAS, d, model->has_low_pass != 0},
        {ATTENTION_WEIGHT, NORM_BIAS, d, 1},
        {PAD_INPUT, PAD_INPUT, d, model->has_pads != 0},
        {PAD_MEMORY, PAD_MEMORY, memory, model->has_pads != 0},
        {INVERSE, INVERSE, model->rows, 1},
    };
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++)
        for (uint32_t id = parts[part].first; id <= parts[part].end; id++) {
            model->vectors[id] = NULL;
            if (!parts[part].there) continue;
            model->vectors[id] = section(file, FIRST_VECTOR + id, parts[part].floats * 4);
            if (!model->vectors[id]) return GLINT_DAMAGED;
        }
    return GLINT_OK;
}

int glint_open(glint_model *model, const void *bytes, size_t size) {
    const source file = {bytes, size};
    if (size < HEAD || number_at(file.bytes) != 0x544e4c47u /* GLNT */) return GLINT_NO_MODEL;
    if (number_at(file.bytes + 4) > VERSION) return GLINT_NEWER;
    if (number_at(file.bytes + 4) != VERSION) return GLINT_DAMAGED;
    if ((uintptr_t)bytes % 4) return GLINT_UNALIGNED;
    if (!are_inside(file)) return GLINT_DAMAGED;
    *model = (glint_model){.kernels = glint_kernels_at(0)};
    int error = read_config(model, file);
    if (!error) error = read_layers(model, file);
    return error ? error : read_vectors(model, file);
}

size_t glint_model_bytes(void) { return sizeof(glint_model); }

const char *glint_kernels_name(const glint_model *model) { return model->kernels->name; }

int glint_use(glint_model *model, const char *name) {
    const glint_kernels *kernels;
    for (size_t i = 0; (kernels = glint_kernels_at(i)); i++) {
        size_t at = 0;
        while (name[at] && name[at] == kernels->name[at]) at++;
        if (name[at] != kernels->name[at]) continue;
        model->kernels = kernels;
        return GLINT_OK;
    }
    return GLINT_NO_KERNELS;
}

size_t glint_state_floats(const glint_model *model) {
    const size_t d = model->d, p = (model->kernel - 1) / 2;
    return 1 + 2 * p * d + 3 * d + (model->has_low_pass ? d : 0) + d * (d / model->heads);
}
