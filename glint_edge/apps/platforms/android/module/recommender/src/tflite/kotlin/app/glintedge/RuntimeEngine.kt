package app.glintedge

import java.io.File
import org.tensorflow.lite.Interpreter

/** The bundle's `.tflite` on LiteRT's interpreter. */
internal object RuntimeEngine : EngineFactory {
    override val target = "tflite"

    override fun open(artifact: File, shapes: Shapes): Engine =
        LiteRtEngine(Interpreter(artifact, Interpreter.Options().setNumThreads(1)), shapes)
}

private class LiteRtEngine(private val interpreter: Interpreter, private val shapes: Shapes) : Engine {

    private val noBias = FloatArray(shapes.rows)

    override fun append(state: FloatArray, id: Int): FloatArray =
        step("append", mapOf("state" to arrayOf(state), "item" to intArrayOf(id)))

    override fun appendMany(state: FloatArray, ids: List<Int>): FloatArray =
        inChunks(state, ids, shapes.chunk) { before, padded, count ->
            step(
                "append_many",
                mapOf("state" to arrayOf(before), "items" to arrayOf(padded), "count" to intArrayOf(count)),
            )
        }

    override fun recommend(state: FloatArray, bias: FloatArray?): TopK =
        list("recommend", mapOf("state" to arrayOf(state), "bias" to arrayOf(bias ?: noBias)))

    override fun similar(id: Int, bias: FloatArray?): TopK =
        list("similar", mapOf("item" to intArrayOf(id), "bias" to arrayOf(bias ?: noBias)))

    private fun list(signature: String, inputs: Map<String, Any>): TopK {
        val items = arrayOf(IntArray(shapes.topK))
        val scores = arrayOf(FloatArray(shapes.topK))
        interpreter.runSignature(inputs, mapOf("top_items" to items, "top_scores" to scores), signature)
        return TopK(items[0], scores[0])
    }

    override fun close() = interpreter.close()

    private fun step(signature: String, inputs: Map<String, Any>): FloatArray {
        val state = arrayOf(FloatArray(shapes.state))
        interpreter.runSignature(inputs, mapOf("new_state" to state), signature)
        return state[0]
    }
}
