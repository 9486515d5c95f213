/* Scores of all rows (eq. 13), some at a time, and the best k of them.
 *
 * The scores stand as PEAKS columns, and only in those whose largest may be among the best k is
 * looked for such. Nothing here rounds: how a list is made has no influence on it.
 */
#include "workspace.h"

#define INFINITE __builtin_inff()

/* The smallest number above x. */
static float above(float x) {
    const int32_t bits = bits_of(x + 0.0f);  /* no −0 */
    return x < 0.0f ? float_of(bits - 1) : float_of(bits + 1);
}

/* Scores of n rows of the table from `first`, for a row that `at->q` or `row` is. */
static void score(const glint_model *model, const workspace *at, const float *row, size_t first,
                  size_t n, const float *inverse, const float *bias) {
    const glint_layer *table = &model->layers[TABLE];
    const glint_kernels *kernels = model->kernels;
    const size_t block = first / BLOCK, blocks = whole_blocks(n) / BLOCK;
    if (model->is_int8)
        kernels->linear_int8(table, block, blocks, at->q, 0, at->steps, 1, at->scores, 0);
    else
        kernels->linear_fp32(table, block, blocks, row, 0, at->steps, 1, at->scores, 0);
    if (inverse || bias)
        kernels->adjust(inverse ? inverse + first : NULL, bias ? bias + first : NULL, n, at->scores);
    if (!first) at->scores[0] = -INFINITE;  /* row 0 is no item, and nor is the last */
}

/* A number that at least k ≤ PEAKS scores are not below, and few more: the k-th of some peaks. */
static float bound(const glint_kernels *kernels, const workspace *at, size_t k) {
    float least = INFINITE;
    size_t n = FEW;
    while (n < PEAKS && 4 * n < 5 * k) n *= 2;
    kernels->peaks(at->peaks, PEAKS, n, at->heights);
    kernels->places(at->heights, NULL, n, at->places);
    for (size_t i = 0; i < n; i++) {
        const float height = at->places[i] < (int32_t)k ? at->heights[i] : INFINITE;
        least = height < least ? height : least;
    }
    return least;
}

/* Of n scores those ≥ least in `count` of their columns. Returns how many there are. */
static size_t sieve(const float *scores, size_t n, float least, size_t columns,
                    const int32_t *starts, size_t count, int32_t *rest) {
    size_t left = 0;
    for (size_t column = 0; column < count; column++)
        for (size_t i = (size_t)starts[column]; i < n; i += columns) {
            rest[left] = (int32_t)i;
            left += scores[i] >= least;
        }
    return left;
}

/* Which of n scores are ≥ least; in columns of such only. Returns how many there are. */
static size_t collect(const glint_kernels *kernels, const workspace *at, size_t n, float least) {
    const int32_t all = 0;
    kernels->peaks(at->peaks, PEAKS, FEW, at->heights);
    size_t count = sieve(at->heights, FEW, least, 1, &all, 1, at->places);
    count = sieve(at->peaks, PEAKS, least, FEW, at->places, count, at->order);
    return sieve(at->scores, n, least, PEAKS, at->order, count, at->ids);
}

/* Put n of the scores, of rows from `first` on, into a list of `count`, the worst first. Returns how
 * many there are. */
static size_t insert(const glint_kernels *kernels, const workspace *at, const int32_t *ids,
                     size_t n, size_t first, size_t k, size_t count, int32_t *items,
                     float *scores) {
    for (size_t i = 0; i < n; i++) at->best[i] = at->scores[ids[i]] + 0.0f;  /* no −0 */
    kernels->places(at->best, ids, n, at->places);
    for (size_t i = 0; i < n; i++) at->order[at->places[i]] = (int32_t)i;
    for (size_t listed = count, left = n, place = count + n; left;) {
        const int32_t next = at->order[left - 1], id = (int32_t)first + ids[next];
        const float score = at->best[next], last = listed ? scores[listed - 1] : INFINITE;
        const int is_worse = last < score || (listed && last == score && items[listed - 1] > id);
        if (is_worse) listed--;
        else left--;
        if (--place >= k) continue;
        items[place] = is_worse ? items[listed] : id;
        scores[place] = is_worse ? last : score;
    }
    return count + n < k ? count + n : k;
}

int32_t glint_best(const glint_model *model, const workspace *at, const float *row,
                   const float *inverse, const float *bias, int32_t most, int32_t *items,
                   float *scores) {
    const glint_kernels *kernels = model->kernels;
    const size_t k = most > 0 ? (size_t)most : 0, few = k < MANY ? FEW : MANY;
    const size_t at_once = k <= PEAKS ? SCORED : MANY;
    size_t count = 0;
    float least = -FLT_MAX;  /* no smaller score is among the best k */
    if (model->is_int8) at->steps[0] = kernels->quantize(row, model->d, at->q);
    for (size_t first = 0, n; k && first + 1 < model->rows; first += n) {
        const size_t left = model->rows - 1 - first, rows = left < at_once ? left : at_once;
        n = (rows + PEAKS - 1) / PEAKS * PEAKS;
        score(model, at, row, first, rows, inverse, bias);
        for (size_t i = rows; i < n; i++) at->scores[i] = -INFINITE;
        kernels->peaks(at->scores, n, PEAKS, at->peaks);
        if (!first && k <= PEAKS) {
            const float kth = bound(kernels, at, k);
            least = kth > least ? kth : least;
        }
        const size_t more = collect(kernels, at, n, least);
        for (size_t from = 0, some; from < more; from += some) {
            some = more - from < few ? more - from : few;
            count = insert(kernels, at, at->ids + from, some, first, k, count, items, scores);
        }
        if (count == k) least = above(scores[k - 1]);
    }
    return (int32_t)count;
}
