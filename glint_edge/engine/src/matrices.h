/* Products with matrices, once for each set of kernels, which says
 *
 *     DOT(sum, w, q)     sum[r] + Σ_c w[4 r + c] q[c], of a register's rows r and c < 4
 *     GLINT_OFFSET       what DOT wants to be added to q
 *     GLINT_TILE         how many times 16 sums stay in registers, a power of 2: of up to four blocks for
 *                        one row, or of so many rows and more blocks
 */
INLINE void tile_int8(const glint_layer *layer, size_t block, int blocks, const int8_t *q,
                      size_t q_stride, const glint_step *steps, int rows, float *y,
                      size_t y_stride) {
    const size_t groups = layer->groups, size = groups * BLOCK * GROUP;
    const int8_t *w = (const int8_t *)layer->weights + block * size;
    ints sum[GLINT_TILE][PARTS];
    UNROLL for (int i = 0; i < rows * blocks; i++) EACH(sum[i][e] = (ints){0})
    for (size_t group = 0; group < groups; group++, w += BLOCK * GROUP, q += GROUP)
        UNROLL for (int b = 0; b < blocks; b++)
            UNROLL for (int row = 0; row < rows; row++)
                EACH(sum[b * rows + row][e] =
                         (ints)DOT(sum[b * rows + row][e],
                                   w + (size_t)b * size + e * GLINT_WIDTH * GROUP,
                                   q + (size_t)row * q_stride))
    UNROLL for (int b = 0; b < blocks; b++)
        UNROLL for (int row = 0; row < rows; row++)
            EACH(const size_t at = (block + (size_t)b) * BLOCK + e * GLINT_WIDTH;
                 const words of_zero = (words)i_get(layer->sum + at) * (uint32_t)steps[row].zero;
                 const words whole = (words)sum[b * rows + row][e] - of_zero;
                 const floats product = __builtin_convertvector((ints)whole, floats);
                 const floats scaled = product * f_get(layer->scale + at, GLINT_WIDTH);
                 f_put(y + (size_t)row * y_stride + b * BLOCK + e * GLINT_WIDTH,
                       scaled * steps[row].step + f_get(layer->bias + at, GLINT_WIDTH), GLINT_WIDTH))
}

INLINE void tile_fp32(const glint_layer *layer, size_t block, int blocks, const float *x,
                      size_t x_stride, const glint_step *none, int rows, float *y,
                      size_t y_stride) {
    const size_t columns = layer->columns, size = columns * BLOCK;
    const float *w = (const float *)layer->weights + block * size;
    floats sum[GLINT_TILE][PARTS];
    (void)none;
    UNROLL for (int i = 0; i < rows * blocks; i++) EACH(sum[i][e] = (floats){0})
    for (size_t column = 0; column < columns; column++, w += BLOCK, x++)
        UNROLL for (int b = 0; b < blocks; b++)
            UNROLL for (int row = 0; row < rows; row++)
                EACH(sum[b * rows + row][e] +=
                     f_get(w + (size_t)b * size + e * GLINT_WIDTH, GLINT_WIDTH)
                     * x[(size_t)row * x_stride])
    UNROLL for (int b = 0; b < blocks; b++)
        UNROLL for (int row = 0; row < rows; row++)
            EACH(const size_t at = (size_t)b * BLOCK + e * GLINT_WIDTH;
                 const floats bias = f_get(layer->bias + block * BLOCK + at, GLINT_WIDTH);
                 f_put(y + (size_t)row * y_stride + at, sum[b * rows + row][e] + bias, GLINT_WIDTH))
}

/* Rows by up to four, then one by one; blocks by the tile, then by half of it, to the last. The weights
 * of one row are read once, and come quickest from four blocks at a time. */
#ifndef GLINT_TILES
#define GLINT_TILES
#define AT_ONCE (GLINT_TILE < 4 ? GLINT_TILE : 4)
#define TILES(tile, count, rows)                                                                  \
    for (; (count) > 0 && b + (count) <= blocks; b += (count))                                    \
        tile(layer, first + b, count, x, x_stride, steps + row, rows, y + b * BLOCK, y_stride);
#define ROWS(tile, rows, most)                                                                    \
    for (; row + (rows) <= n; row += (rows)) {                                                    \
        size_t b = 0;                                                                             \
        TILES(tile, most, rows)                                                                   \
        TILES(tile, (most) / 2, rows)                                                             \
        TILES(tile, (most) / 4, rows)                                                             \
        x += (rows) * x_stride;                                                                   \
        y += (rows) * y_stride;                                                                   \
    }
#define LINEAR(name, tile, number)                                                                \
    static void name(const glint_layer *layer, size_t first, size_t blocks, const number *x,      \
                     size_t x_stride, const glint_step *steps, size_t n, float *y,                \
                     size_t y_stride) {                                                           \
        size_t row = 0;                                                                           \
        ROWS(tile, AT_ONCE, GLINT_TILE / AT_ONCE)                                                 \
        ROWS(tile, 1, AT_ONCE)                                                                    \
    }
#endif

LINEAR(NAMED(linear_int8), tile_int8, int8_t)
LINEAR(NAMED(linear_fp32), tile_fp32, float)
