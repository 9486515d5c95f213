/* One digest of what a model answers, the same on every machine: random histories, filters, lists. */
#include "glint.h"

static uint32_t drawn(uint32_t *seed) { return *seed = *seed * 1664525u + 1013904223u, *seed >> 8; }

static void take_in(uint64_t *digest, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        *digest = (*digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

enum { MOST = 100, LONGEST = 400 };

/* `memory` has room for a model, a workspace, two states, MOST items, a bias, and two lists of all
 * rows. Returns 0 where the file or the kernels are no good, 1 where `append_many` is not so many
 * calls of `append`. */
#if defined(__wasm__)
__attribute__((export_name("replay")))
#endif
uint64_t replay(const void *file, size_t bytes, const char *kernels, int with_filters, void *memory) {
    glint_model *model = memory;
    if (glint_open(model, file, bytes) || glint_use(model, kernels)) return 0;
    const size_t floats = glint_state_floats(model);
    float *state = (float *)(void *)((uint8_t *)memory + (glint_model_bytes() + 63) / 64 * 64);
    float *twin = state + floats, *bias = twin + floats, *scores = bias + model->rows;
    int32_t *items = (int32_t *)(void *)(scores + model->rows), *best = items + MOST;
    void *workspace = best + model->rows;
    uint64_t digest = 0xcbf29ce484222325u;
    uint32_t seed = 1;
    for (int round = 0; round < 6; round++) {
        const size_t longest = model->has_pads && model->length < MOST ? model->length : MOST;
        const size_t count = round ? drawn(&seed) % (longest + 1) : longest;
        for (size_t i = 0; i < 2 * floats; i++) state[i] = 0.0f;
        for (size_t i = 0; i < count; i++) {
            items[i] = (int32_t)(drawn(&seed) % (model->rows + 3)) - 1;
            glint_append(model, workspace, twin, items[i]);
        }
        glint_append_many(model, workspace, state, items, count);
        take_in(&digest, state, floats * sizeof *state);
        for (size_t i = 0; i < floats; i++)
            if (state[i] != twin[i]) return 1;
        for (size_t i = 0; i < model->rows; i++) {
            const uint32_t one = drawn(&seed);
            bias[i] = one % 3 ? (float)(one % 7) / 64.0f : -__builtin_inff();
        }
        const int32_t ks[] = {1, 10, 50, 300, (int32_t)model->rows};
        for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
            for (int method = 0; method < 4; method++) {
                const float *filter = method % 2 ? bias : NULL;
                if (filter && !with_filters) continue;
                int32_t n = method / 2
                    ? glint_similar(model, workspace, items[0], filter, ks[i], best, scores)
                    : glint_recommend(model, workspace, state, filter, ks[i], best, scores);
                take_in(&digest, &n, sizeof n);
                take_in(&digest, best, (size_t)n * sizeof *best);
                take_in(&digest, scores, (size_t)n * sizeof *scores);
            }
    }
    return digest;
}

#if !defined(__wasm__)
#include <stdio.h>
#include <stdlib.h>

/* replay KERNELS MODEL …: a line with the digest of each. */
int main(int count, char **words) {
    for (int i = 2; i < count; i++) {
        FILE *file = fopen(words[i], "rb");
        if (!file || fseek(file, 0, SEEK_END)) return 1;
        const size_t bytes = (size_t)ftell(file), room = bytes + (1u << 22);
        uint8_t *memory = malloc(room + bytes + 128), *data = memory + room;
        if (!memory) return 1;
        memory += 64 - (uintptr_t)memory % 64;
        data += 64 - (uintptr_t)data % 64;
        rewind(file);
        if (fread(data, 1, bytes, file) != bytes) return 1;
        printf("%016llx\n", (unsigned long long)replay(data, bytes, words[1], 1, memory));
        fclose(file);
    }
    return 0;
}
#endif
