/* Products with matrices, once for each set of kernels, which brings
 *
 *     isums dot(isums sum, const int8_t *w, const int8_t *q)   sum[r] + Σ_c w[4 r + c] q[c], r < 16, c < 4
 *     void narrow(ints x, int8_t *y)                         the low bytes of 16 integers
 *
 * GLINT_OFFSET, what `dot` wants to be added to q, and GLINT_TILE, how many times 16 sums stay in
 * registers: of so many blocks, or of four rows and a quarter as many blocks.
 */
INLINE void tile_int8(const glint_layer *layer, size_t block, int blocks, const int8_t *q,
                      size_t q_stride, const glint_step *steps, int rows, float *y,
                      size_t y_stride) {
    const size_t groups = layer->groups, size = groups * BLOCK * GROUP;
    const int8_t *w = (const int8_t *)layer->weights + block * size;
    isums sum[GLINT_TILE];
    UNROLL for (int i = 0; i < rows * blocks; i++) EACH(sum[i].at[e] = (ipart){0})
    for (size_t group = 0; group < groups; group++, w += BLOCK * GROUP, q += GROUP)
        UNROLL for (int b = 0; b < blocks; b++)
            UNROLL for (int row = 0; row < rows; row++)
                sum[b * rows + row] = dot(sum[b * rows + row], w + (size_t)b * size,
                                          q + (size_t)row * q_stride);
    UNROLL for (int b = 0; b < blocks; b++)
        UNROLL for (int row = 0; row < rows; row++)
            EACH(const size_t at = (block + (size_t)b) * BLOCK + e * GLINT_WIDTH;
                 const wpart of_zero = (wpart)i_part(layer->sum + at) * (uint32_t)steps[row].zero;
                 const wpart whole = (wpart)sum[b * rows + row].at[e] - of_zero;
                 const fpart product = __builtin_convertvector((ipart)whole, fpart);
                 f_put(y + (size_t)row * y_stride + b * BLOCK + e * GLINT_WIDTH,
                       product * f_part(layer->scale + at) * steps[row].step
                       + f_part(layer->bias + at)))
}

INLINE void tile_fp32(const glint_layer *layer, size_t block, int blocks, const float *x,
                      size_t x_stride, const glint_step *none, int rows, float *y,
                      size_t y_stride) {
    const size_t columns = layer->columns, size = columns * BLOCK;
    const float *w = (const float *)layer->weights + block * size;
    fsums sum[GLINT_TILE];
    (void)none;
    UNROLL for (int i = 0; i < rows * blocks; i++) EACH(sum[i].at[e] = (fpart){0})
    for (size_t column = 0; column < columns; column++, w += BLOCK, x++)
        UNROLL for (int b = 0; b < blocks; b++)
            UNROLL for (int row = 0; row < rows; row++)
                EACH(sum[b * rows + row].at[e] += f_part(w + (size_t)b * size + e * GLINT_WIDTH)
                                                  * x[(size_t)row * x_stride])
    UNROLL for (int b = 0; b < blocks; b++)
        UNROLL for (int row = 0; row < rows; row++)
            EACH(const float *bias = layer->bias + (block + (size_t)b) * BLOCK + e * GLINT_WIDTH;
                 f_put(y + (size_t)row * y_stride + b * BLOCK + e * GLINT_WIDTH,
                       sum[b * rows + row].at[e] + f_part(bias)))
}

/* Blocks by the tile, then by half of it, to the last; rows by four, then one by one. */
#ifndef GLINT_TILES
#define GLINT_TILES
#define TILES(tile, count, rows)                                                                  \
    for (; (count) && b + (count) <= blocks; b += (count))                                        \
        tile(layer, first + b, count, x, x_stride, steps + row, rows, y + b * BLOCK, y_stride);
#define ROWS(tile, rows)                                                                          \
    for (; (rows) <= GLINT_TILE && row + (rows) <= n; row += (rows)) {                            \
        size_t b = 0;                                                                             \
        TILES(tile, GLINT_TILE / (rows), rows)                                                    \
        TILES(tile, GLINT_TILE / (rows) / 2, rows)                                                \
        TILES(tile, GLINT_TILE / (rows) / 4, rows)                                                \
        TILES(tile, GLINT_TILE / (rows) / 8, rows)                                                \
        TILES(tile, GLINT_TILE / (rows) / 16, rows)                                               \
        x += (rows) * x_stride;                                                                   \
        y += (rows) * y_stride;                                                                   \
    }
#endif

static void NAMED(linear_int8)(const glint_layer *layer, size_t first, size_t blocks,
                               const int8_t *x, size_t x_stride, const glint_step *steps, size_t n,
                               float *y, size_t y_stride) {
    size_t row = 0;
    ROWS(tile_int8, 4)
    ROWS(tile_int8, 1)
}

static void NAMED(linear_fp32)(const glint_layer *layer, size_t first, size_t blocks,
                               const float *x, size_t x_stride, size_t n, float *y,
                               size_t y_stride) {
    const glint_step *steps = &(const glint_step){0}; /* of no use */
    size_t row = 0;
    ROWS(tile_fp32, 4)
    ROWS(tile_fp32, 1)
}
