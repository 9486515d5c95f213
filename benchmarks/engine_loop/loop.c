/* The engine in a loop of its own, as an app has it: the state in place, the file mapped.
 *
 *     loop FILE KERNELS|best HISTORY MILLISECONDS
 *
 * Prints JSON: nanoseconds a call by method, a block of calls each; `read` is a loop that adds up
 * the bytes of the item table; then the process's memory. Exit code 3: this processor has no such
 * kernels. `benchmarks/engine.py` builds it and says what it is for.
 */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "glint.h"

enum { K = 10, STATES = 8, DRAWN = 1024, BLOCKS = 500, LEAST = 15, MOST_CALLS = 64 };

static const double BLOCK_NS = 20e3;  /* so that reading the clock is nothing beside it */

static glint_model model;
static char *workspace;
static float *states[STATES], *one;  /* of the listed histories, and of the session that is timed */
static int32_t drawn[DRAWN], listed[K];
static float scores[K];
static size_t history, table_bytes;
static const uint64_t *table;
static volatile uint64_t sum;  /* or the loop that reads would be none */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static void append(size_t call) { glint_append(&model, workspace, one, drawn[call % DRAWN]); }

static void recommend(size_t call) {
    glint_recommend(&model, workspace, states[call % STATES], NULL, K, listed, scores);
}

static void tap(size_t call) {
    append(call);
    glint_recommend(&model, workspace, one, NULL, K, listed, scores);
}

static void cold_start(size_t call) {
    memset(one, 0, sizeof(float) * glint_state_floats(&model));
    glint_append_many(&model, workspace, one, drawn + call % (DRAWN - history), history);
    glint_recommend(&model, workspace, one, NULL, K, listed, scores);
}

/* As wide as the processor reads: what is compared with it shall not win by narrow loads. */
#if defined(__x86_64__) && !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static void read_table(size_t call) {
    uint64_t all[4][8] = {{call}};
    for (size_t n = 0; n + 32 <= table_bytes / sizeof *table; n += 32)
        for (size_t part = 0; part < 4; part++)
            for (size_t lane = 0; lane < 8; lane++) all[part][lane] += table[n + 8 * part + lane];
    for (size_t part = 0; part < 4; part++)
        for (size_t lane = 0; lane < 8; lane++) sum += all[part][lane];
}

/* Blocks of calls until the time is over, after a warm-up of a third of it. */
static void measure(const char *name, void (*method)(size_t), double budget_ns) {
    static double blocks[BLOCKS];
    size_t calls = 1, call = 0, count = 0;
    for (int timed = 0; timed < 2; timed++) {
        const double end = now() + (timed ? budget_ns : budget_ns / 3);
        for (count = 0; count < BLOCKS && (count < LEAST || now() < end); count++) {
            const double from = now();
            for (size_t n = 0; n < calls; n++) method(call++);
            blocks[count] = (now() - from) / (double)calls;
            if (!timed) calls = 1 + (size_t)(BLOCK_NS / (blocks[count] + 1));
            if (calls > MOST_CALLS) calls = MOST_CALLS;
        }
    }
    printf("\"%s\": [", name);
    for (size_t n = 0; n < count; n++) printf("%s%.1f", n ? ", " : "", blocks[n]);
    printf("], ");
}

/* A size in kB from a file of /proc/self: the first such line behind `mapping`, if that is one. */
static long bytes_of(const char *file, const char *mapping, const char *size) {
    char line[512];
    long kilobytes = -1;
    FILE *const status = fopen(file, "r");
    int behind = mapping == NULL;
    if (status == NULL) return -1;
    while (kilobytes < 0 && fgets(line, sizeof line, status) != NULL) {
        if (!behind) behind = strstr(line, mapping) != NULL;
        else if (strncmp(line, size, strlen(size)) == 0)
            kilobytes = strtol(line + strlen(size), NULL, 10);
    }
    fclose(status);
    return kilobytes < 0 ? -1 : 1024 * kilobytes;
}

/* Map the file and open it; the table is its largest layer. */
static int opened(const char *path, const char *kernels) {
    struct stat about;
    const int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &about) != 0) return 2;
    const void *const data =
        mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED || glint_open(&model, data, (size_t)about.st_size) != GLINT_OK) return 2;
    if (strcmp(kernels, "best") != 0 && glint_use(&model, kernels) != GLINT_OK) return 3;
    for (int n = 0; n < GLINT_LAYERS; n++) {
        const glint_layer *const layer = &model.layers[n];
        /* int8: groups of 4 columns and three vectors; float: columns and one. */
        const size_t words = model.is_int8 ? layer->groups + 3 : layer->columns + 1;
        if (layer->rows != model.rows || layer->blocks * words * 64 < table_bytes) continue;
        table_bytes = layer->blocks * words * 64;
        table = layer->weights;
    }
    return 0;
}

static int made(void) {
    const size_t bytes = sizeof(float) * glint_state_floats(&model);
    workspace = malloc(glint_workspace_bytes(&model));
    one = calloc(1, bytes);
    uint32_t random = 1;
    for (size_t n = 0; n < DRAWN; n++) {
        random = random * 1664525u + 1013904223u;
        drawn[n] = (int32_t)(1 + (random >> 8) % (model.rows - 2));
    }
    if (workspace == NULL || one == NULL) return 2;
    for (size_t n = 0; n < STATES; n++) {
        if ((states[n] = calloc(1, bytes)) == NULL) return 2;
        glint_append_many(&model, workspace, states[n], drawn + 20 * n, 20);
    }
    return 0;
}

int main(int count, char **words) {
    if (count != 5) return 2;
    const long before = bytes_of("/proc/self/status", NULL, "VmRSS:");
    int error = opened(words[1], words[2]);
    if (error == 0) error = made();
    if (error != 0) return error;
    history = strtoul(words[3], NULL, 10);
    const double budget_ns = 1e6 * strtod(words[4], NULL);
    if (history >= DRAWN) return 2;
    printf("{\"kernels\": \"%s\", ", glint_kernels_name(&model));
    measure("append", append, budget_ns);
    measure("recommend", recommend, budget_ns);
    measure("tap", tap, budget_ns);
    measure("cold_start", cold_start, budget_ns);
    measure("read", read_table, budget_ns);
    printf("\"memory\": {\"before\": %ld, \"peak\": %ld, \"mapped\": %ld, \"table\": %zu, "
           "\"workspace\": %zu, \"states\": %zu}}\n",
           before, bytes_of("/proc/self/status", NULL, "VmHWM:"),
           bytes_of("/proc/self/smaps", words[1], "Rss:"), table_bytes,
           glint_workspace_bytes(&model), (STATES + 1) * sizeof(float) * glint_state_floats(&model));
    return 0;
}
