package app.glintedge

import java.io.File
import java.nio.file.Files
import java.security.MessageDigest
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Sessions, keys and files, with a stand-in for the runtime: its state is the items, newest first. */
class RecommenderTest {

    private object StandIn : EngineFactory, Engine {
        override val target = "executorch"
        override fun open(artifact: File, shapes: Shapes): Engine = this
        override fun append(state: FloatArray, id: Int) =
            floatArrayOf(id.toFloat()) + state.copyOf(state.size - 1)
        override fun appendMany(state: FloatArray, ids: List<Int>) = ids.fold(state, ::append)
        override fun recommend(state: FloatArray) = TopK(intArrayOf(1, 2, 3, 4), floatArrayOf(4f, 3f, 2f, 1f))
        override fun close() = Unit
    }

    private val folder: File = Files.createTempDirectory("bundle").toFile()

    private fun write(window: String = "sliding", version: Int = 1): File {
        val files = mapOf(
            "items.json" to """{"keys": ["a", "b", "c", "d"], "titles": {"b": "Zweiter"}}""",
            "model.pte" to "artifact",
        )
        val listed = JSONObject()
        for ((name, text) in files) {
            val bytes = text.encodeToByteArray()
            File(folder, name).writeBytes(bytes)
            val sha256 = MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
            listed.put(name, JSONObject().put("bytes", bytes.size).put("sha256", sha256))
        }
        val items = JSONObject().put("name", "items").put("shape", JSONArray(listOf(1, 2)))
        val manifest = JSONObject()
            .put("schema_version", version).put("digest", "0a".repeat(32)).put("window", window).put("top_k", 4)
            .put("model", JSONObject().put("max_length", 3))
            .put("state", JSONObject().put("shape", JSONArray(listOf(1, 6))))
            .put("methods", JSONObject().put("append_many", JSONObject().put("inputs", JSONArray(listOf(items)))))
            .put("artifacts", JSONArray(listOf(JSONObject().put("target", "executorch").put("file", "model.pte"))))
            .put("files", listed)
        File(folder, "manifest.json").writeText(manifest.toString())
        return folder
    }

    private fun load(unknown: Unknown = Unknown.REFUSE) = Recommender.load(folder, unknown, StandIn)

    private fun refusal(call: () -> Unit) = assertThrows(GlintException::class.java) { call() }.code

    @Test
    fun itSpeaksInTheUsersKeys() {
        write()
        val found = load().recommend(listOf("c"), 4)
        assertEquals(listOf("a", "b", "c", "d"), found.map { it.key })
        assertEquals(listOf(null, "Zweiter", null, null), found.map { it.title })
        assertEquals(listOf("a", "b", "d"), load().recommend(listOf("c"), 4, excludeSeen = true).map { it.key })
        assertEquals(GlintException.Code.ARGUMENT, refusal { load().recommend(emptyList(), 5) })
        assertEquals(GlintException.Code.ARGUMENT, refusal { load().recommend(emptyList(), 0) })
    }

    @Test
    fun unknownKeysAreRefusedOrSkippedAndCounted() {
        write()
        assertEquals(GlintException.Code.UNKNOWN_ITEM, refusal { load().start(listOf("a", "z")) })
        val session = load(Unknown.SKIP).start(listOf("a", "z", ""))
        session.append("y")
        session.append("b")
        assertEquals(3, session.skipped)
        assertEquals(listOf("a", "b"), session.history)
    }

    @Test
    fun aSlidingWindowForgetsAndAnUnboundedOneDoesNot() {
        for ((window, state) in listOf("sliding" to listOf(3f, 2f, 1f), "unbounded" to listOf(3f, 2f, 1f, 4f))) {
            write(window)
            val session = load().start(listOf("d"))
            for (key in listOf("a", "b", "c")) session.append(key)
            val kept = SavedSession.unpack(session.save(), "0a".repeat(32), 6, 4)
            assertEquals(state + List(6 - state.size) { 0f }, kept.state.toList())
            assertEquals(listOf(4, 1, 2, 3), kept.ids)
            assertEquals(listOf("d", "a", "b", "c"), load().resume(session.save()).history)
        }
    }

    @Test
    fun whatIsDamagedOrTooNewIsRefused() {
        assertEquals(GlintException.Code.DAMAGED, refusal { load() })
        for (name in listOf("items.json", "model.pte", "manifest.json")) {
            write()
            File(folder, name).appendText(if (name == "manifest.json") "{" else "x")
            if (name != "manifest.json") assertEquals(GlintException.Code.DAMAGED, refusal { load() })
            File(folder, name).writeText("{")
            assertEquals(GlintException.Code.DAMAGED, refusal { load() })
            File(folder, name).delete()
            assertEquals(GlintException.Code.DAMAGED, refusal { load() })
        }
        write(version = 2)
        assertEquals(GlintException.Code.UPGRADE, refusal { load() })
        write()
        File(folder, "manifest.json").apply { writeText(readText().replace("\"executorch\"", "\"onnx\"")) }
        assertTrue(assertThrows(GlintException::class.java) { load() }.message!!.contains("--target executorch"))
    }

    @Test
    fun chunksArePaddedAndCounted() {
        val seen = mutableListOf<Pair<List<Int>, Int>>()
        inChunks(FloatArray(1), listOf(5, 6, 7), 2) { state, padded, count ->
            seen += padded.toList() to count
            state
        }
        assertEquals(listOf(listOf(5, 6) to 2, listOf(7, 0) to 1), seen)
    }
}
