package app.glintedge

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import android.system.Os
import java.io.File
import java.nio.FloatBuffer
import java.nio.LongBuffer

/** The bundle's `.onnx` on ONNX Runtime: one graph, whose input `method` chooses. */
internal object RuntimeEngine : EngineFactory {
    override val target = "onnx"

    override fun open(artifact: File, shapes: Shapes): Engine {
        // Read once, when ONNX Runtime is first touched; without it, it reports to its maker.
        Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
        val options = OrtSession.SessionOptions().apply { setIntraOpNumThreads(1) }
        return OnnxEngine(OrtEnvironment.getEnvironment().createSession(artifact.path, options), shapes)
    }
}

private class OnnxEngine(private val session: OrtSession, private val shapes: Shapes) : Engine {

    private val environment = OrtEnvironment.getEnvironment()

    override fun append(state: FloatArray, id: Int): FloatArray = step(APPEND, state, listOf(id))

    // Any length in one call.
    override fun appendMany(state: FloatArray, ids: List<Int>): FloatArray = step(APPEND_MANY, state, ids)

    override fun recommend(state: FloatArray, bias: FloatArray?): TopK = list(RECOMMEND, state, 0, bias)

    override fun similar(id: Int, bias: FloatArray?): TopK =
        list(SIMILAR, FloatArray(shapes.state), id, bias)

    override fun close() = session.close()

    private fun list(method: Long, state: FloatArray, id: Int, bias: FloatArray?): TopK =
        run(method, state, listOf(id), bias, "top_items", "top_scores") { (items, scores) ->
            val ids = (items as Array<*>)[0] as LongArray
            TopK(IntArray(ids.size) { ids[it].toInt() }, (scores as Array<*>)[0] as FloatArray)
        }

    private fun step(method: Long, state: FloatArray, ids: List<Int>): FloatArray =
        run(method, state, ids, null, "new_state") { (after) -> (after as Array<*>)[0] as FloatArray }

    /** All inputs are always given; a method ignores what it does not use. One 0 is no bias. */
    private fun <T> run(
        method: Long,
        state: FloatArray,
        ids: List<Int>,
        bias: FloatArray?,
        vararg outputs: String,
        take: (List<Any?>) -> T,
    ): T {
        val inputs = mapOf(
            "method" to longs(longArrayOf(method), 1),
            "state" to floats(state),
            "items" to longs(LongArray(ids.size) { ids[it].toLong() }, 1, ids.size.toLong()),
            "count" to longs(longArrayOf(ids.size.toLong()), 1),
            "bias" to floats(bias ?: floatArrayOf(0f)),
        )
        try {
            return session.run(inputs, outputs.toSet()).use { result ->
                take(outputs.map { result.get(it).get().value })
            }
        } finally {
            inputs.values.forEach { it.close() }
        }
    }

    private fun floats(row: FloatArray): OnnxTensor =
        OnnxTensor.createTensor(environment, FloatBuffer.wrap(row), longArrayOf(1, row.size.toLong()))

    private fun longs(values: LongArray, vararg shape: Long): OnnxTensor =
        OnnxTensor.createTensor(environment, LongBuffer.wrap(values), shape)

    private companion object {
        const val APPEND = 0L
        const val APPEND_MANY = 1L
        const val RECOMMEND = 2L
        const val SIMILAR = 3L
    }
}
