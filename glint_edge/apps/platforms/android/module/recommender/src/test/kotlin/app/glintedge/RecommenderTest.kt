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

    private open class StandIn : EngineFactory, Engine {
        var closed = 0
        override val target = "executorch"
        override fun open(artifact: File, shapes: Shapes): Engine = this
        override fun append(state: FloatArray, id: Int) =
            floatArrayOf(id.toFloat()) + state.copyOf(state.size - 1)
        override fun appendMany(state: FloatArray, ids: List<Int>) = ids.fold(state) { before, id ->
            floatArrayOf(id.toFloat()) + before.copyOf(before.size - 1)
        }
        override fun recommend(state: FloatArray) = TopK(intArrayOf(1, 2, 3, 4), floatArrayOf(4f, 3f, 2f, 1f))
        override fun close() {
            closed++
        }
    }

    private val folder: File = Files.createTempDirectory("bundle").toFile()

    private fun write(window: String = "sliding", version: Int = 1, topK: Int = 4, golden: String = GOLDEN, data: Any? = null): File {
        val files = mapOf(
            "items.json" to """{"keys": ["a", "b", "c", "d"], "titles": {"b": "Zweiter"},
                "fields": {"kind": {"b": "Book"}, "brand": {"a": "Acme", "b": "Beta"}},
                "images": {"a": "https://example.org/a.png"}}""",
            "model.pte" to "artifact",
            "golden.json" to golden,
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
            .put("schema_version", version).put("digest", "0a".repeat(32)).put("window", window).put("top_k", topK)
            .put("model", JSONObject().put("max_length", 3).put("items", 4))
            .put("state", JSONObject().put("shape", JSONArray(listOf(1, 6))))
            .put("methods", JSONObject().put("append_many", JSONObject().put("inputs", JSONArray(listOf(items)))))
            .put("artifacts", JSONArray(listOf(JSONObject().put("target", "executorch").put("file", "model.pte"))))
            .put("files", listed)
            .put("data", data)
        File(folder, "manifest.json").writeText(manifest.toString())
        return folder
    }

    private fun load(unknown: Unknown = Unknown.REFUSE, runtime: StandIn = StandIn()) =
        Recommender.load(folder, unknown, runtime)

    private fun refusal(call: () -> Unit) = assertThrows(GlintException::class.java) { call() }.code

    @Test
    fun itSpeaksInTheUsersKeys() {
        write()
        val found = load().recommend(listOf("c"), 4)
        assertEquals(listOf("a", "b", "c", "d"), found.map { it.key })
        assertEquals(listOf(null, "Zweiter", null, null), found.map { it.title })
        assertEquals(mapOf("kind" to "Book", "brand" to "Beta"), found[1].fields)
        assertEquals(mapOf("brand" to "Acme"), found[0].fields)
        assertEquals(listOf("https://example.org/a.png", null), found.take(2).map { it.image })
        assertEquals(listOf("a", "b", "d"), load().recommend(listOf("c"), 4, excludeSeen = true).map { it.key })
        assertEquals(GlintException.Code.ARGUMENT, refusal { load().recommend(emptyList(), 5) })
        assertEquals(GlintException.Code.ARGUMENT, refusal { load().recommend(emptyList(), 0) })
    }

    @Test
    fun whereNobodySaysSeenItemsAreLeftOutAsTheLogIs() {
        val kept = listOf("a", "b", "c", "d")
        for ((share, excluded) in listOf(null to false, JSONObject.NULL to false, 0 to true, 0.0099 to true,
                                         0.01 to false, 0.4 to false)) {
            write(data = JSONObject().put("repeats", share))
            val recommender = load()
            val left = if (excluded) kept - "c" else kept
            assertEquals(left, recommender.recommend(listOf("c"), 4).map { it.key })
            assertEquals(left, recommender.start(listOf("c")).top(4).map { it.key })
            assertEquals(kept, recommender.recommend(listOf("c"), 4, excludeSeen = false).map { it.key })
            assertEquals(kept - "c", recommender.recommend(listOf("c"), 4, excludeSeen = true).map { it.key })
        }
        for (share in listOf("0", true, -0.1, 1.5)) {
            write(data = JSONObject().put("repeats", share))
            assertEquals(GlintException.Code.DAMAGED, refusal { load() })
        }
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
        for (name in listOf("items.json", "model.pte", "golden.json", "manifest.json")) {
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
    fun whatHasAnotherFormIsDamaged() {
        val other = GOLDEN.replace("[4.0, 3.0, 2.0, 1.0]", "[4.0]")
        for (golden in listOf("[]", "{}", "null", "[".repeat(100_000), """{"tolerance": {}, "cases": 3}""", other)) {
            write(golden = golden)
            assertEquals(GlintException.Code.DAMAGED, refusal { load() })
        }
        for (topK in listOf(0, -1, Int.MAX_VALUE)) {
            write(topK = topK)
            assertEquals(GlintException.Code.DAMAGED, refusal { load() })
        }
    }

    @Test
    fun anArtifactThatComputesSomethingElseIsRefusedOnLoad() {
        write()
        val wrong = listOf(
            object : StandIn() {
                override fun recommend(state: FloatArray) =
                    TopK(intArrayOf(1, 2, 3, 4), floatArrayOf(4f, 3f, 2f, Float.NaN))
            },
            object : StandIn() {
                override fun recommend(state: FloatArray) = TopK(intArrayOf(1, 2, 3, 9), floatArrayOf(4f, 3f, 2f, 1f))
            },
            object : StandIn() {
                override fun recommend(state: FloatArray) = TopK(intArrayOf(1), floatArrayOf(4f))
            },
            object : StandIn() {
                override fun recommend(state: FloatArray) = TopK(intArrayOf(2, 1, 3, 4), floatArrayOf(4f, 3f, 2f, 1f))
            },
            object : StandIn() {
                override fun append(state: FloatArray, id: Int) = FloatArray(state.size) { Float.NaN }
            },
            object : StandIn() {
                override fun appendMany(state: FloatArray, ids: List<Int>) = FloatArray(1)
            },
            object : StandIn() {
                override fun append(state: FloatArray, id: Int): FloatArray = throw ArrayIndexOutOfBoundsException()
            },
            object : StandIn() {
                override fun appendMany(state: FloatArray, ids: List<Int>): FloatArray = error("two\nlines")
            },
        )
        for (runtime in wrong) {
            val error = assertThrows(GlintException::class.java) { load(runtime = runtime) }
            assertEquals(GlintException.Code.DAMAGED, error.code)
            assertEquals(error.message, false, error.message!!.contains("\n"))
            assertEquals(1, runtime.closed)
        }
        val absent = object : StandIn() {
            override fun open(artifact: File, shapes: Shapes): Engine = throw UnsatisfiedLinkError("no library")
        }
        assertTrue(assertThrows(GlintException::class.java) { load(runtime = absent) }.message!!.contains("no library"))
    }

    @Test
    fun aRuntimeThatFailsLaterLeavesTheSessionAsItWas() {
        write()
        val runtime = object : StandIn() {
            var broken = false
            override fun append(state: FloatArray, id: Int) =
                if (broken) throw IllegalStateException("out of memory") else super.append(state, id)
        }
        val recommender = load(runtime = runtime)
        val session = recommender.start(listOf("d"))
        val before = session.save()
        runtime.broken = true
        assertEquals(GlintException.Code.DAMAGED, refusal { session.append("a") })
        assertTrue(before.contentEquals(session.save()))
        recommender.close()
        recommender.close()
        assertEquals(1, runtime.closed)
        assertEquals(GlintException.Code.ARGUMENT, refusal { session.top(1) })
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

    private companion object {
        const val GOLDEN = """{"tolerance": {"relative_state_error": 1e-5, "score_error": 1e-5}, "cases": [
            {"history": [], "state_sum": 0, "state_norm": 0, "items": [1, 2, 3, 4], "scores": [4, 3, 2, 1]},
            {"history": [1, 2], "state_sum": 3.0, "state_norm": 2.2360679775, "items": [1, 2, 3, 4],
             "scores": [4.0, 3.0, 2.0, 1.0]}]}"""
    }
}
