/* Open a model's file again and again, each time with other damage, and run what still opens, with
 * one or another set of kernels.
 *
 * The bytes stand in memory of exactly their size, so that the sanitizers see any read beyond.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glint.h"

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below) { /* xorshift */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16) % below;
}

static void run(glint_model *model) {
    static const char *const sets[] = {"portable", "avx2", "avx-vnni", "avx512-vnni", "neon"};
    enum { K = 7, SETS = sizeof sets / sizeof *sets };
    glint_use(model, sets[draw(SETS)]);  /* the fastest stays where it is not of this processor */
    const int32_t items[] = {1, 5, -3, 2147483647, 2, 9, 0};
    int32_t listed[K];
    float scores[K];
    float *history = calloc(glint_state_floats(model), sizeof(float));
    void *workspace = malloc(glint_workspace_bytes(model));
    glint_append(model, workspace, history, 3);
    glint_append_many(model, workspace, history, items, sizeof items / sizeof *items);
    for (int i = 0; i < 2; i++) {
        int32_t count = i ? glint_similar(model, workspace, 4, NULL, K, listed, scores)
                          : glint_recommend(model, workspace, history, NULL, K, listed, scores);
        for (int32_t at = 0; at < count; at++)
            if (listed[at] < 1 || (uint32_t)listed[at] > model->rows - 2) abort();
    }
    free(workspace);
    free(history);
}

int main(int count, char **words) {
    static uint8_t whole[1 << 20];
    FILE *file = count == 3 ? fopen(words[1], "rb") : NULL;
    if (!file) return 2;
    const size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    long opened = 0, tries = atol(words[2]);
    for (long i = 0; i < tries; i++) {
        const size_t bytes = draw(8) ? size : draw((uint32_t)size + 1);
        uint8_t *at = malloc(bytes ? bytes : 1);
        memcpy(at, whole, bytes);
        for (uint32_t change = draw(4); bytes && change < 4; change++) {
            const uint32_t where = draw(3) ? draw(bytes < 1024 ? (uint32_t)bytes : 1024)
                                           : draw((uint32_t)bytes);
            at[where] = draw(4) ? (uint8_t)draw(256) : (uint8_t)(at[where] ^ 1u << draw(8));
        }
        glint_model model;
        if (glint_open(&model, at, bytes) == GLINT_OK) {
            run(&model);
            opened++;
        }
        free(at);
    }
    printf("%ld\n", opened);
    return 0;
}
