/* Where everything stands in a workspace. */
#ifndef GLINT_WORKSPACE_H
#define GLINT_WORKSPACE_H

#include "internal.h"

enum {
    TILE = 16  /* positions of `append_many` that go through a matrix together */
};

/* A part of a model's `TILE` rows each, but where said; `_wide` is the distance of two rows. */
typedef struct workspace {
    int8_t *q;
    glint_step *steps;
    size_t q_wide, wide, item_wide, step_wide;
    float *x, *item, *conv, *step;  /* X; u, k, v; c; r, z, n and the gate's input */
    float *inputs;                  /* 2p + TILE convolution inputs, d apart */
    float *h, *past, *gate, *out;   /* one row each */
    float *gated;                   /* G of what the second convolution sees, d apart */
    float *memory;                  /* with the pads' part; NULL where there are none */
    float *scores, *peaks, *heights;  /* [SCORED]; of its columns, [PEAKS]; of fewer */
    int32_t *ids;                     /* of those that may be listed: [SCORED] */
    float *best;                      /* the scores of MANY, and what puts them in order */
    int32_t *places, *order;
} workspace;

/* Lay the parts out from `base`, at a multiple of 64. Returns how many bytes they take. */
size_t glint_lay_out(const glint_model *model, void *base, workspace *parts);

/* The best k rows of the table for a row, which has whole blocks; its products are multiplied by
 * `inverse` where it is not NULL. */
int32_t glint_best(const glint_model *model, const workspace *at, const float *row,
                   const float *inverse, const float *bias, int32_t k, int32_t *items,
                   float *scores);

#endif
