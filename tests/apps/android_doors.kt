package app.glintedge

import java.io.File

/** Loads the bundles that it is named, one after the other, and prints a line of what each load says. */
fun main(folders: Array<String>) {
    for (folder in folders) {
        val said = try {
            Recommender.load(File(folder), runtime = Doors)
            "loaded"
        } catch (error: GlintException) {
            "${error.code}\t${error.message}"
        } catch (error: Throwable) {
            error.toString()
        }
        println(said.replace("\n", " and a line "))
    }
}

/** A runtime that fails: what comes so far was taken. */
private object Doors : EngineFactory, Engine {
    override val target = "executorch"
    override fun open(artifact: File, shapes: Shapes): Engine = this
    override fun append(state: FloatArray, id: Int): FloatArray = error("taken")
    override fun appendMany(state: FloatArray, ids: List<Int>): FloatArray = error("taken")
    override fun recommend(state: FloatArray, bias: FloatArray?): TopK = error("taken")
    override fun similar(id: Int, bias: FloatArray?): TopK = error("taken")
    override fun close() = Unit
}
