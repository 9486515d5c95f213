/* Scores of all rows (eq. 13), some at a time, and the best k of them.
 *
 * Scores are compared as integers of the same order, their keys. What is below the k-th best so far
 * is skipped, 16 rows at a time. Nothing here rounds: how a list is made has no influence on it.
 */
#include "workspace.h"

enum {
    NOTHING = -2139095041,  /* the key of −∞: of what is left out, or is no number */
    FEW = 32                /* are put in order by counting, and then into the list */
};

static float score_of(int32_t key) { return float_of(key < 0 ? key ^ INT32_MAX : key); }

/* Keys of the table's rows from `first`, at most SCORED, for a row that `at->q` or `row` is. */
static size_t score(const glint_model *model, const workspace *at, const float *row, size_t first,
                    const float *inverse, const float *bias) {
    const glint_layer *table = &model->layers[TABLE];
    const glint_kernels *kernels = model->kernels;
    const size_t left = model->rows - 1 - first, n = left < SCORED ? left : SCORED;
    const size_t block = first / BLOCK, blocks = whole_blocks(n) / BLOCK;
    if (model->is_int8)
        kernels->linear_int8(table, block, blocks, at->q, 0, at->steps, 1, at->scores, 0);
    else
        kernels->linear_fp32(table, block, blocks, row, 0, at->steps, 1, at->scores, 0);
    kernels->keys(at->scores, inverse ? inverse + first : NULL, bias ? bias + first : NULL, n,
                  at->keys);
    if (!first) at->keys[0] = NOTHING;  /* row 0 is no item, and nor is the last */
    for (size_t i = n; i < SCORED; i++) at->keys[i] = NOTHING;
    return n;
}

/* Put n more, of larger ids, into a list of `count`, the worst first. Returns how many there are. */
static size_t insert(const glint_kernels *kernels, const workspace *at, size_t from, size_t n,
                     size_t k, size_t count, int32_t *items, float *scores) {
    const int32_t *keys = at->best + from, *ids = at->ids + from;
    kernels->places(keys, n, at->places);
    for (size_t i = 0; i < n; i++) at->order[at->places[i]] = (int32_t)i;
    for (size_t listed = count, left = n, place = count + n; left;) {
        const int32_t next = at->order[left - 1];
        const float score = score_of(keys[next]);
        const int is_worse = listed && scores[listed - 1] < score;
        if (is_worse) listed--;
        else left--;
        if (--place >= k) continue;
        items[place] = is_worse ? items[listed] : ids[next];
        scores[place] = is_worse ? scores[listed] : score;
    }
    return count + n < k ? count + n : k;
}

int32_t glint_best(const glint_model *model, const workspace *at, const float *row,
                   const float *inverse, const float *bias, int32_t most, int32_t *items,
                   float *scores) {
    const glint_kernels *kernels = model->kernels;
    const size_t k = most > 0 ? (size_t)most : 0, few = k < SCORED ? FEW : SCORED;
    size_t count = 0, more = SCORED;
    int32_t least = NOTHING + 1;  /* no smaller key is among the best k */
    if (model->is_int8) at->steps[0] = kernels->quantize(row, model->d, at->q);
    for (size_t first = 0, n; k && first + 1 < model->rows; first += n) {
        n = score(model, at, row, first, inverse, bias);
        if (more > FEW && k <= PEAKS) {
            const int32_t bound = kernels->bound(at->keys, k);
            least = bound > least ? bound : least;
        }
        more = kernels->collect(at->keys, (int32_t)first, n, least, at->best, at->ids);
        for (size_t from = 0, some; from < more; from += some) {
            some = more - from < few ? more - from : few;
            count = insert(kernels, at, from, some, k, count, items, scores);
        }
        if (count < k) continue;
        const int32_t bits = bits_of(scores[k - 1]);
        least = (bits < 0 ? bits ^ INT32_MAX : bits) + 1;
    }
    return (int32_t)count;
}
