/* Glint.kt's functions: the engine's own, above arrays and direct buffers of the JVM, which stay where
 * they are for the time of a call. Sizes are Kotlin's to look after. While an array is held, nothing
 * else may be asked of the JVM. */
#include <jni.h>

#include "glint.h"

#define GLINT_JNI(type, name) JNIEXPORT type JNICALL Java_app_glintedge_Glint_##name

static void *at(JNIEnv *env, jobject buffer) { return (*env)->GetDirectBufferAddress(env, buffer); }

static void *hold(JNIEnv *env, jarray array) {
    return array ? (*env)->GetPrimitiveArrayCritical(env, array, NULL) : NULL;
}

/* mode: 0 for what was written to, JNI_ABORT for what was read. */
static void release(JNIEnv *env, jarray array, void *held, jint mode) {
    if (held) (*env)->ReleasePrimitiveArrayCritical(env, array, held, mode);
}

GLINT_JNI(jint, modelBytes)(JNIEnv *env, jclass of) {
    (void)env, (void)of;
    return (jint)glint_model_bytes();
}

GLINT_JNI(jint, open)(JNIEnv *env, jclass of, jobject model, jobject file) {
    (void)of;
    return glint_open(at(env, model), at(env, file), (size_t)(*env)->GetDirectBufferCapacity(env, file));
}

GLINT_JNI(jlong, workspaceBytes)(JNIEnv *env, jclass of, jobject model) {
    (void)of;
    return (jlong)glint_workspace_bytes(at(env, model));
}

GLINT_JNI(jlong, stateFloats)(JNIEnv *env, jclass of, jobject model) {
    (void)of;
    return (jlong)glint_state_floats(at(env, model));
}

GLINT_JNI(jint, rows)(JNIEnv *env, jclass of, jobject model) {
    (void)of;
    return (jint)((const glint_model *)at(env, model))->rows;
}

GLINT_JNI(jboolean, appendMany)(JNIEnv *env, jclass of, jobject model, jobject workspace,
                                jfloatArray state, jintArray items) {
    (void)of;
    const size_t count = (size_t)(*env)->GetArrayLength(env, items);
    const glint_model *opened = at(env, model);
    void *work = at(env, workspace);
    float *after = hold(env, state);
    jint *ids = hold(env, items);
    const jboolean held = after && ids;
    if (held) glint_append_many(opened, work, after, ids, count);
    release(env, items, ids, JNI_ABORT);
    release(env, state, after, 0);
    return held;
}

/* The list after a state or, without one, of what is like an item; -1: there is no memory. */
GLINT_JNI(jint, list)(JNIEnv *env, jclass of, jobject model, jobject workspace, jfloatArray state,
                      jint item, jfloatArray bias, jintArray items, jfloatArray scores) {
    (void)of;
    const jint k = (*env)->GetArrayLength(env, items);
    const glint_model *opened = at(env, model);
    void *work = at(env, workspace);
    float *from = hold(env, state), *added = hold(env, bias), *numbers = hold(env, scores);
    jint *ids = hold(env, items), count = -1;
    if (numbers && ids && (from || !state) && (added || !bias))
        count = from ? glint_recommend(opened, work, from, added, k, ids, numbers)
                     : glint_similar(opened, work, item, added, k, ids, numbers);
    release(env, items, ids, 0);
    release(env, scores, numbers, 0);
    release(env, bias, added, JNI_ABORT);
    release(env, state, from, JNI_ABORT);
    return count;
}
