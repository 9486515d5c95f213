package app.glintedge

import java.io.Closeable
import java.io.File

/**
 * What the artifact's shapes are.
 *
 * @property state floats of a state.
 * @property chunk items of one `append_many`.
 * @property topK items of a list.
 * @property rows of the item table, which a bias has a number for each of, by id.
 */
data class Shapes(val state: Int, val chunk: Int, val topK: Int, val rows: Int)

/** Best first. */
class TopK(val ids: IntArray, val scores: FloatArray)

/**
 * An artifact in its runtime. Each product flavour has one in `RuntimeEngine.kt`.
 *
 * A state is a FloatArray of `Shapes.state` floats, all zeros for no history; it is never changed.
 */
interface Engine : Closeable {
    /** The state one item further. */
    fun append(state: FloatArray, id: Int): FloatArray

    /** The state any number of items further. */
    fun appendMany(state: FloatArray, ids: List<Int>): FloatArray

    /** The artifact's list after a state, its scores with a bias added; null: without. */
    fun recommend(state: FloatArray, bias: FloatArray?): TopK

    /** The same of the items most like one. */
    fun similar(id: Int, bias: FloatArray?): TopK

    /** Whether it gives the same bits on every machine. */
    val isExact: Boolean get() = false
}

/** Opens an artifact that has been checked. */
interface EngineFactory {
    /** The artifact's `target` in the manifest: "c", "executorch", "tflite" or "onnx". */
    val target: String

    fun open(artifact: File, shapes: Shapes): Engine
}

/** Call `step` with chunks of one size, the last one padded with 0, and each one's own length. */
internal fun inChunks(
    state: FloatArray,
    ids: List<Int>,
    size: Int,
    step: (state: FloatArray, padded: IntArray, count: Int) -> FloatArray,
): FloatArray = ids.chunked(size).fold(state) { before, chunk ->
    step(before, IntArray(size) { chunk.getOrElse(it) { 0 } }, chunk.size)
}
