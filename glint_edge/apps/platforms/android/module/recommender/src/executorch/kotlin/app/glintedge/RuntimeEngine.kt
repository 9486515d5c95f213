package app.glintedge

import java.io.File
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/** The bundle's `.pte` on ExecuTorch. */
internal object RuntimeEngine : EngineFactory {
    override val target = "executorch"

    override fun open(artifact: File, shapes: Shapes): Engine {
        // A call takes some tens of microseconds: less than it takes to wake other threads for it.
        val module = Module.load(artifact.path, Module.LOAD_MODE_MMAP, 1)
        for (method in listOf("append", "append_many", "recommend")) module.loadMethod(method)
        return ExecuTorchEngine(module, shapes)
    }
}

private class ExecuTorchEngine(private val module: Module, private val shapes: Shapes) : Engine {

    private val noBias = biasOf(FloatArray(shapes.rows))
    private var isSimilarLoaded = false

    override fun append(state: FloatArray, id: Int): FloatArray =
        call("append", stateOf(state), ids(intArrayOf(id), 1))[0].toTensor().dataAsFloatArray

    override fun appendMany(state: FloatArray, ids: List<Int>): FloatArray =
        inChunks(state, ids, shapes.chunk) { before, padded, count ->
            call("append_many", stateOf(before), ids(padded, 1, shapes.chunk.toLong()), ids(intArrayOf(count), 1))[0]
                .toTensor().dataAsFloatArray
        }

    override fun recommend(state: FloatArray, bias: FloatArray?): TopK =
        list("recommend", stateOf(state), bias)

    override fun similar(id: Int, bias: FloatArray?): TopK {
        // Not when the bundle is loaded: it may pack the table once more, which not every app needs.
        if (!isSimilarLoaded) module.loadMethod("similar")
        isSimilarLoaded = true
        return list("similar", ids(intArrayOf(id), 1), bias)
    }

    private fun list(method: String, of: EValue, bias: FloatArray?): TopK {
        val (items, scores) = call(method, of, if (bias == null) noBias else biasOf(bias))
        val ids = items.toTensor().dataAsLongArray
        return TopK(IntArray(ids.size) { ids[it].toInt() }, scores.toTensor().dataAsFloatArray)
    }

    override fun close() = module.destroy()

    private fun call(method: String, vararg inputs: EValue): Array<EValue> = module.execute(method, *inputs)

    private fun stateOf(values: FloatArray): EValue = row(values, shapes.state)

    private fun biasOf(values: FloatArray): EValue = row(values, shapes.rows)

    private fun row(values: FloatArray, size: Int): EValue =
        EValue.from(Tensor.fromBlob(values, longArrayOf(1, size.toLong())))

    private fun ids(values: IntArray, vararg shape: Long): EValue =
        EValue.from(Tensor.fromBlob(LongArray(values.size) { values[it].toLong() }, shape))
}
