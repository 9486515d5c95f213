/* GLINT-RU on a device: what an application calls. docs/engine.md has the whole.
 *
 * A model is const once it is open, and any number of threads may share it; each brings a workspace
 * and its own states. Nothing is allocated, nothing is global, and nothing is called but what stands
 * here. The same file, state and filter give the same bits on every machine.
 */
#ifndef GLINT_H
#define GLINT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a shared library exports; its build says how. */
#ifndef GLINT_API
#define GLINT_API
#endif

enum { GLINT_LAYERS = 13, GLINT_VECTORS = 16 };

/* What `glint_open` says; the others return no errors. */
enum {
    GLINT_OK = 0,
    GLINT_NO_MODEL = -1,   /* the file begins as no model does */
    GLINT_NEWER = -2,      /* of a later version of the format */
    GLINT_DAMAGED = -3,    /* a size, or a place of something in the file, is impossible */
    GLINT_UNALIGNED = -4,  /* the bytes must stand at a multiple of 4; of 64 is best */
    GLINT_NO_KERNELS = -5  /* `glint_use`: not of this build, or not for this processor */
};

/* One matrix in blocks of 16 rows; where its numbers stand in the file. */
typedef struct glint_layer {
    const void *weights;  /* int8 [blocks][groups][16][4], or float [blocks][columns][16] */
    const float *scale;   /* of each row's integers; NULL where the weights are floats */
    const int32_t *sum;   /* of each row's integers */
    const float *bias;
    uint32_t rows, columns, blocks, groups;  /* blocks of 16 rows, groups of 4 columns */
} glint_layer;

/* An open model. Yours to place, the engine's to fill: read it, change nothing. */
typedef struct glint_model {
    uint32_t d, heads, kernel, length, rows;  /* rows of the table: items, 0 and the unknown item */
    uint32_t is_int8, has_input_norm, has_low_pass, has_mlp, has_pads;
    float norm_eps;
    const struct glint_kernels *kernels;
    glint_layer layers[GLINT_LAYERS];
    const float *vectors[GLINT_VECTORS];
} glint_model;

GLINT_API size_t glint_model_bytes(void);  /* sizeof(glint_model), for those who cannot write it */

/* Check a model's file and remember where its parts stand; the bytes must stay as long as the model. */
GLINT_API int glint_open(glint_model *model, const void *file, size_t bytes);

/* The kernels in use: "portable", "avx2", … `glint_open` takes the fastest that runs here. */
GLINT_API const char *glint_kernels_name(const glint_model *model);
GLINT_API int glint_use(glint_model *model, const char *kernels);

GLINT_API size_t glint_state_floats(const glint_model *model);    /* all zeros: no history */
GLINT_API size_t glint_workspace_bytes(const glint_model *model); /* at any address */

/* One item further; an id outside the catalogue is the unknown item. */
GLINT_API void glint_append(const glint_model *model, void *workspace, float *state, int32_t item);

/* `count` items further: the same bits as so many calls of `glint_append`, and sooner. */
GLINT_API void glint_append_many(const glint_model *model, void *workspace, float *state,
                                 const int32_t *items, size_t count);

/* The best k items after a history, best first, the smaller id of equals.
 *
 * bias: a number for each of `rows`, added to the scores; minus infinity leaves a row out; or NULL.
 * Returns how many there are: fewer than k where fewer are on offer.
 */
GLINT_API int32_t glint_recommend(const glint_model *model, void *workspace, const float *state,
                                  const float *bias, int32_t k, int32_t *items, float *scores);

/* The k items most like one; the scores are cosines of rows, with the bias. */
GLINT_API int32_t glint_similar(const glint_model *model, void *workspace, int32_t item,
                                const float *bias, int32_t k, int32_t *items, float *scores);

#ifdef __cplusplus
}
#endif

#endif
