package app.glintedge

import java.io.File
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** The bundle's `.glnt` on the engine, which is plain C; `cpp/` has it. */
internal object RuntimeEngine : EngineFactory {
    override val target = "c"

    override fun open(artifact: File, shapes: Shapes): Engine {
        val file = artifact.inputStream().use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, artifact.length()) }
        return GlintEngine(file, shapes)
    }
}

/** One append is one of many: the bits are the same. */
private class GlintEngine(private val file: ByteBuffer, private val shapes: Shapes) : Engine {

    private val model: ByteBuffer = ByteBuffer.allocateDirect(Glint.modelBytes())
    private val workspace: ByteBuffer

    init {
        val error = Glint.open(model, file)
        check(error == 0) { "it is no model of this engine, error $error" }
        val isOfThisModel = Glint.stateFloats(model) == shapes.state.toLong() && Glint.rows(model) == shapes.rows
        check(isOfThisModel) { "it is of another model than its manifest" }
        workspace = ByteBuffer.allocateDirect(Math.toIntExact(Glint.workspaceBytes(model)))
    }

    override val isExact = true

    override fun append(state: FloatArray, id: Int): FloatArray = after(state, intArrayOf(id))

    override fun appendMany(state: FloatArray, ids: List<Int>): FloatArray = after(state, ids.toIntArray())

    override fun recommend(state: FloatArray, bias: FloatArray?): TopK = list(state, 0, bias)

    override fun similar(id: Int, bias: FloatArray?): TopK = list(null, id, bias)

    override fun close() = Unit // the buffers go with it

    private fun after(state: FloatArray, ids: IntArray): FloatArray = state.copyOf().also {
        check(it.size == shapes.state) { "a state is of another model" }
        check(Glint.appendMany(model, workspace, it, ids)) { "there is no memory" }
    }

    private fun list(state: FloatArray?, id: Int, bias: FloatArray?): TopK {
        check((state?.size ?: shapes.state) == shapes.state) { "a state is of another model" }
        check((bias?.size ?: shapes.rows) == shapes.rows) { "a bias is of another model" }
        val ids = IntArray(shapes.topK)
        val scores = FloatArray(shapes.topK)
        val count = Glint.list(model, workspace, state, id, bias, ids, scores)
        check(count >= 0) { "there is no memory" }
        return TopK(ids.copyOf(count), scores.copyOf(count))
    }
}

/** `cpp/glint_jni.c`; the buffers are direct ones, and `list` fills ids and scores, or as many as there are. */
internal object Glint {
    init {
        System.loadLibrary("glint")
    }

    @JvmStatic external fun modelBytes(): Int

    @JvmStatic external fun open(model: ByteBuffer, file: ByteBuffer): Int

    @JvmStatic external fun workspaceBytes(model: ByteBuffer): Long

    @JvmStatic external fun stateFloats(model: ByteBuffer): Long

    @JvmStatic external fun rows(model: ByteBuffer): Int

    @JvmStatic external fun appendMany(model: ByteBuffer, workspace: ByteBuffer, state: FloatArray, ids: IntArray): Boolean

    /** After a state, or without one of what is like an item. */
    @JvmStatic external fun list(
        model: ByteBuffer,
        workspace: ByteBuffer,
        state: FloatArray?,
        item: Int,
        bias: FloatArray?,
        ids: IntArray,
        scores: FloatArray,
    ): Int
}
