/* Scores of all rows (eq. 13), some at a time, and the best k of them.
 *
 * Scores are compared as integers of the same order, their keys. What is below the k-th best so far
 * is skipped, 16 rows at a time. Nothing here rounds: how a list is made has no influence on it.
 */
#include "workspace.h"

enum { NOTHING = -2139095041 };  /* the key of −∞: of what is left out, or is no number */

typedef struct candidates {
    int32_t *keys, *ids;  /* in order of ids */
    size_t count, k;
    int32_t least;  /* no smaller key is among the best k */
} candidates;

static float score_of(int32_t key) { return float_of(key < 0 ? key ^ INT32_MAX : key); }

/* More candidates than this are too many. */
static size_t enough(size_t k) { return k + k / 4 + BLOCK; }

/* Leave `enough` at most: of equals at the end the first. */
static void shrink(const glint_kernels *kernels, candidates *of) {
    if (of->count <= enough(of->k)) return;
    /* Equals that were kept lie one below `of->least`, which is for those to come. */
    int32_t least = kernels->about_kth(of->keys, of->count, of->k, enough(of->k), NOTHING + 1);
    const size_t count = kernels->collect(of->keys, of->ids, 0, of->count, least, of->keys, of->ids);
    of->count = count;
    if (count > enough(of->k)) {
        size_t equals = of->k - kernels->count_from(of->keys, count, least + 1);
        of->count = 0;
        for (size_t i = 0; i < count; i++) {
            const int32_t key = of->keys[i];
            if (key == least && !equals) continue;
            equals -= key == least;
            of->keys[of->count] = key;
            of->ids[of->count++] = of->ids[i];
        }
        least++;  /* later equals come after these */
    }
    if (least > of->least) of->least = least;
}

/* A heap whose root is the worst: the lowest score, of equals the largest id. */
static int is_worse(const float *scores, const int32_t *ids, size_t a, size_t b) {
    return scores[a] < scores[b] || (scores[a] == scores[b] && ids[a] > ids[b]);
}

static void swap(float *scores, int32_t *ids, size_t a, size_t b) {
    const float score = scores[a];
    const int32_t id = ids[a];
    scores[a] = scores[b];
    ids[a] = ids[b];
    scores[b] = score;
    ids[b] = id;
}

static void sink(float *scores, int32_t *ids, size_t at, size_t count) {
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_worse(scores, ids, child + 1, child)) child++;
        if (!is_worse(scores, ids, child, at)) return;
        swap(scores, ids, at, child);
    }
}

static void rise(float *scores, int32_t *ids, size_t at) {
    for (; at && is_worse(scores, ids, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(scores, ids, at, (at - 1) / 2);
}

/* Take some candidates into a heap of k. */
static size_t heap_up(candidates *of, size_t count, float *scores, int32_t *items) {
    for (size_t i = 0; i < of->count; i++) {
        if (of->keys[i] < of->least) continue;
        const size_t at = count < of->k ? count++ : 0;
        scores[at] = score_of(of->keys[i]);
        items[at] = of->ids[i];
        if (at) rise(scores, items, at);
        else sink(scores, items, 0, count);
        if (count < of->k) continue;
        const int32_t bits = bits_of(scores[0]);
        of->least = (bits < 0 ? bits ^ INT32_MAX : bits) + 1;
    }
    of->count = 0;
    return count;
}

/* Keys of the table's rows from `first`, at most SCORED, for a row that `at->q` or `row` is. */
static size_t score(const glint_model *model, const workspace *at, const float *row, size_t first,
                    const float *inverse, const float *bias) {
    const glint_layer *table = &model->layers[TABLE];
    const size_t left = model->rows - 1 - first, n = left < SCORED ? left : SCORED;
    const size_t blocks = whole_blocks(n) / BLOCK;
    if (model->is_int8)
        model->kernels->linear_int8(table, first / BLOCK, blocks, at->q, 0, at->steps, 1,
                                    at->scores, 0);
    else
        model->kernels->linear_fp32(table, first / BLOCK, blocks, row, 0, 1, at->scores, 0);
    model->kernels->keys(at->scores, inverse ? inverse + first : NULL, bias ? bias + first : NULL,
                         n, at->keys);
    if (!first) at->keys[0] = NOTHING;  /* row 0 is no item, and nor is the last */
    return n;
}

int32_t glint_best(const glint_model *model, const workspace *at, const float *row,
                   const float *inverse, const float *bias, int32_t k, int32_t *items,
                   float *scores) {
    const glint_kernels *kernels = model->kernels;
    candidates of = {.keys = at->best, .ids = at->ids, .least = NOTHING + 1};
    size_t heap = 0;
    if (k <= 0) return 0;
    of.k = (uint32_t)k < model->rows ? (uint32_t)k : model->rows;
    if (model->is_int8) at->steps[0] = kernels->quantize(row, model->d, at->q);
    for (size_t first = 0, n; first + 1 < model->rows; first += n) {
        n = score(model, at, row, first, inverse, bias);
        if (of.least == NOTHING + 1 && n == SCORED && of.k <= PEAKS) {
            kernels->peaks(at->keys, at->places);
            of.least = kernels->about_kth(at->places, PEAKS, of.k, of.k + of.k / 8, of.least);
        }
        of.count += kernels->collect(at->keys, NULL, (int32_t)first, n, of.least, of.keys + of.count,
                                     of.ids + of.count);
        if (of.k > RANKED) heap = heap_up(&of, heap, scores, items);
        else if (of.count > KEPT - SCORED) shrink(kernels, &of);
    }
    if (of.k > RANKED) {
        for (size_t end = heap; end > 1; sink(scores, items, 0, end)) swap(scores, items, 0, --end);
        return (int32_t)heap;
    }
    shrink(kernels, &of);
    kernels->places(of.keys, of.count, at->places);
    for (size_t i = 0; i < of.count; i++) {
        if ((size_t)at->places[i] >= of.k) continue;
        items[at->places[i]] = of.ids[i];
        scores[at->places[i]] = score_of(of.keys[i]);
    }
    return (int32_t)(of.count < of.k ? of.count : of.k);
}
