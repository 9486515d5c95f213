package app.glintedge

import java.io.File
import java.nio.file.Files
import java.security.MessageDigest
import kotlin.math.ln1p
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Sessions, keys and files, with a stand-in for the runtime: its state counts the items, newest first. */
class RecommenderTest {

    private open class StandIn : EngineFactory, Engine {
        var closed = 0
        override val target = "executorch"
        override fun open(artifact: File, shapes: Shapes): Engine = apply { topK = shapes.topK }
        var topK = 4
        override fun append(state: FloatArray, id: Int) =
            floatArrayOf(state[0] + 1, id.toFloat()) + state.copyOfRange(1, state.size - 1)
        override fun appendMany(state: FloatArray, ids: List<Int>) = ids.fold(state) { before, id ->
            floatArrayOf(before[0] + 1, id.toFloat()) + before.copyOfRange(1, before.size - 1)
        }
        override fun recommend(state: FloatArray, bias: FloatArray?) = list(listOf(4f, 3f, 2f, 1f), bias)
        override fun similar(id: Int, bias: FloatArray?) = list(listOf(0.5f, 0.25f, 0.75f, 1f), bias)
        private fun list(scores: List<Float>, bias: FloatArray?): TopK {
            val all = scores.mapIndexed { place, score -> place + 1 to score + (bias?.get(place + 1) ?: 0f) }
            val best = all.sortedByDescending { it.second }.take(topK)
            return TopK(best.map { it.first }.toIntArray(), best.map { it.second }.toFloatArray())
        }
        override fun close() {
            closed++
        }
    }

    private val folder: File = Files.createTempDirectory("bundle").toFile()

    private fun write(
        window: String = "sliding",
        version: Int = 2,
        topK: Int = 4,
        golden: String = GOLDEN,
        data: Any? = null,
        padding: String = "masked",
        rows: Int = 6,
        neighbours: ByteArray? = null,
    ): File {
        val files = mapOf(
            "items.json" to """{"keys": ["a", "b", "c", "d"], "titles": {"b": "Zweiter"},
                "fields": {"kind": {"b": "Book"}, "brand": {"a": "Acme", "b": "Beta"}},
                "images": {"a": "https://example.org/a.png"}}""",
            "model.pte" to "artifact",
            "golden.json" to golden,
        ).mapValues { it.value.encodeToByteArray() }
        val listed = JSONObject()
        for ((name, bytes) in files + listOfNotNull(neighbours?.let { Neighbours.FILE to it })) {
            File(folder, name).writeBytes(bytes)
            val sha256 = MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
            listed.put(name, JSONObject().put("bytes", bytes.size).put("sha256", sha256))
        }
        fun method(name: String, size: Int) = JSONObject().put(
            "inputs", JSONArray(listOf(JSONObject().put("name", name).put("shape", JSONArray(listOf(1, size))))),
        )
        val methods = JSONObject().put("append_many", method("items", 2)).put("recommend", method("bias", rows))
        val manifest = JSONObject()
            .put("schema_version", version).put("digest", "0a".repeat(32)).put("window", window).put("top_k", topK)
            .put("model", JSONObject().put("max_length", 4).put("items", 4).put("padding", padding))
            .put("state", JSONObject().put("shape", JSONArray(listOf(1, 7))))
            .put("methods", methods)
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
        val list = load().recommend(listOf("c"), 4, excludeSeen = false)
        assertEquals(listOf("a", "b", "c", "d"), list.map { it.key })
        assertEquals(listOf(null, "Zweiter", null, null), list.map { it.title })
        assertEquals(mapOf("kind" to "Book", "brand" to "Beta"), list[1].fields)
        assertEquals(mapOf("brand" to "Acme"), list[0].fields)
        assertEquals(listOf("https://example.org/a.png", null), list.take(2).map { it.image })
        assertEquals(listOf("a", "b", "d"), load().recommend(listOf("c"), 4, excludeSeen = true).map { it.key })
        assertEquals(4, load().recommend(emptyList(), 5).size)
        assertEquals(GlintException.Code.ARGUMENT, refusal { load().recommend(emptyList(), 0) })
    }

    @Test
    fun whereNobodySaysAllSeenItemsOrTheLastAreLeftOutAsTheLogIs() {
        val seen = listOf("c", "a")
        val kept = listOf("a", "b", "c", "d")
        for ((share, excluded) in listOf(null to false, JSONObject.NULL to false, 0 to true, 0.0099 to true,
                                         0.01 to false, 0.4 to false)) {
            write(data = JSONObject().put("repeats", share))
            val recommender = load()
            val left = if (excluded) listOf("b", "d") else listOf("b", "c", "d")
            assertEquals(left, recommender.recommend(seen, 4).map { it.key })
            assertEquals(left, recommender.start(seen).top(4).map { it.key })
            assertEquals(kept, recommender.recommend(emptyList(), 4).map { it.key })
            assertEquals(kept, recommender.recommend(seen, 4, excludeSeen = false).map { it.key })
            assertEquals(listOf("b", "d"), recommender.recommend(seen, 4, excludeSeen = true).map { it.key })
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
    fun filtersAreTheSameWordsOfAllLists() {
        write(topK = 2, golden = GOLDEN_OF_TWO)
        val recommender = load()
        val session = recommender.start(listOf("c"))
        fun List<Recommendation>.keys() = map { it.key }
        assertEquals(listOf("a", "b", "c", "d"), session.top(9, excludeSeen = false).keys())
        assertEquals(listOf("b", "d"), session.top(9, excludeSeen = true, without = listOf("a", "new")).keys())
        assertEquals(listOf("b", "d"), session.top(9, among = setOf("d", "new", "b")).keys())
        assertEquals(emptyList<String>(), session.top(9, among = emptyList()).keys())
        assertEquals(listOf("b"), session.top(9, where = mapOf("kind" to listOf("Book"))).keys())
        assertEquals(listOf("d", "a", "b"), session.top(3, boost = mapOf("d" to 5, "new" to 1)).keys())
        assertEquals(listOf("a", "d"), session.top(9, without = listOf("b"), mostPer = mapOf("brand" to 1)).keys())
        assertEquals(session.top(1, boost = mapOf("d" to 5)), recommender.recommend(listOf("c"), 1, boost = mapOf("d" to 5)))
        assertEquals(listOf("d", "a"), recommender.similar("c", 2).keys())
        assertEquals(listOf("a", "b"), recommender.similar("c", where = mapOf("brand" to listOf("Acme", "Beta"))).keys())
        assertEquals(GlintException.Code.UNKNOWN_ITEM, refusal { recommender.similar("z") })
        assertEquals(emptyList<String>(), load(Unknown.SKIP).similar("z").keys())
        assertEquals(mapOf("kind" to listOf("Book"), "brand" to listOf("Acme", "Beta")), recommender.fields)
        val ignoring = object : StandIn() {
            override fun similar(id: Int, bias: FloatArray?) = recommend(floatArrayOf(), null)
        }
        assertEquals(GlintException.Code.DAMAGED, refusal { load(runtime = ignoring).similar("a") })
    }

    @Test
    fun neighboursRaiseScoresAndSayWhy() {
        write(neighbours = neighboursFile())
        val recommender = load()
        fun List<Recommendation>.reasons() = map { it.key to it.because }
        val plain = listOf("b", "c", "d").map { it to null }
        val raised = listOf("b" to "a", "c" to "a", "d" to null)
        assertEquals(raised, recommender.recommend(listOf("a"), 4).reasons())
        assertEquals(raised, recommender.start(listOf("a")).top(4, neighbours = true).reasons())
        assertEquals(raised, recommender.resume(recommender.start(listOf("a")).save()).top(4).reasons())
        assertEquals(plain, recommender.recommend(listOf("a"), 4, neighbours = false).reasons())
        assertEquals(listOf("a" to null) + plain, recommender.recommend(emptyList(), 4).reasons())
        assertEquals(listOf(null, null), recommender.similar("a", 2).map { it.because })
        assertEquals(listOf("c" to "a"), recommender.recommend(listOf("a"), 4, without = listOf("b"), among = listOf("b", "c")).reasons())
        write()
        assertEquals(plain, load().recommend(listOf("a"), 4).reasons())
        val refused = assertThrows(GlintException::class.java) { load().recommend(listOf("a"), neighbours = true) }
        assertEquals("this bundle has no neighbours; export it with --neighbours 32", refused.message)
        write(neighbours = neighboursFile())
        val long = load().start(List(6) { "a" } + List(4) { "b" }) // of which more count than the window has
        assertEquals(long.top(4), load().resume(long.save()).top(4))
        write(neighbours = neighboursFile().copyOf(84))
        assertTrue(assertThrows(GlintException::class.java) { load() }.message!!.contains("neighbours.bin is damaged (its size)"))
    }

    @Test
    fun goldenListsWithNeighboursNeedTheirFile() {
        val rises = listOf(3 + 1.5 * ln1p(135.0), 2 + 1.5 * ln1p(15.0))
        val list = """{"history": [1], "k": 2, "filter": {}, "items": [2, 3], "scores": $rises, "near": {}, "neighbours": true}, """
        for (file in listOf(neighboursFile(), null)) {
            write(golden = GOLDEN.replace("\"lists\": [", "\"lists\": [$list"), neighbours = file)
            assertEquals(emptyList<String>(), replayGolden(load()))
        }
        write(golden = GOLDEN.replace("\"lists\": [", "\"lists\": [${list.replace("[2, 3]", "[3, 2]")}"), neighbours = neighboursFile())
        assertEquals(1, replayGolden(load()).size)
        write(golden = GOLDEN.replace("\"lists\": [", "\"lists\": [${list.replace("true", "1")}"))
        assertEquals(GlintException.Code.DAMAGED, refusal { load() })
    }

    @Test
    fun goldenListsAreReplayed() {
        write()
        assertEquals(emptyList<String>(), replayGolden(load()))
        for ((from, to) in listOf("[2, 1]," to "[1, 2],", "9.0, 4.0" to "9.1, 4.0", "0.75, 0.5" to "0.75, 0.4")) {
            write(golden = GOLDEN.replace(from, to).also { assertTrue(it != GOLDEN) })
            assertEquals(1, replayGolden(load()).size)
        }
    }

    @Test
    fun aStateHoldsAQuarterMoreThanTheWindowAndBeginsAgain() {
        val appended = listOf("a", "b", "c", "a", "b")
        for ((window, padding, state) in listOf(
            Triple("sliding", "masked", listOf(4f, 2f, 1f, 3f, 2f)),
            Triple("sliding", "reference", listOf(4f, 2f, 1f, 3f, 2f)),
            Triple("unbounded", "masked", listOf(6f, 2f, 1f, 3f, 2f, 1f, 4f)),
        )) {
            write(window, padding = padding)
            val session = load().start(listOf("d"))
            for (key in appended) session.append(key)
            val kept = SavedSession.unpack(session.save(), "0a".repeat(32), 7, 4)
            assertEquals(state + List(7 - state.size) { 0f }, kept.state.toList())
            // What a window has passed counts as seen, once.
            assertEquals(if (window == "sliding") listOf(4, 2, 3, 1, 2) else listOf(4, 1, 2, 3, 1, 2), kept.ids)
            val resumed = load().resume(session.save())
            resumed.append("c")
            assertEquals(if (padding == "masked") state[0] + 1 else 4f, SavedSession.unpack(resumed.save(), "0a".repeat(32), 7, 4).state[0])
        }
        write()
        val full = load().start(listOf("d", "a", "b", "c"))
        full.append("a")
        assertEquals(5f, SavedSession.unpack(full.save(), "0a".repeat(32), 7, 4).state[0])
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
        write(version = 3)
        assertEquals(GlintException.Code.UPGRADE, refusal { load() })
        write(version = 1)
        val earlier = assertThrows(GlintException::class.java) { load() }
        assertTrue(earlier.message!!.endsWith("was exported by an earlier glint-edge, without filters; export it again"))
        for ((padding, rows) in listOf("both" to 6, "masked" to 5)) {
            write(padding = padding, rows = rows)
            assertEquals(GlintException.Code.DAMAGED, refusal { load() })
        }
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
                override fun recommend(state: FloatArray, bias: FloatArray?) =
                    TopK(intArrayOf(1, 2, 3, 4), floatArrayOf(4f, 3f, 2f, Float.NaN))
            },
            object : StandIn() {
                override fun recommend(state: FloatArray, bias: FloatArray?) = TopK(intArrayOf(1, 2, 3, 9), floatArrayOf(4f, 3f, 2f, 1f))
            },
            object : StandIn() {
                override fun recommend(state: FloatArray, bias: FloatArray?) = TopK(intArrayOf(1), floatArrayOf(4f))
            },
            object : StandIn() {
                override fun recommend(state: FloatArray, bias: FloatArray?) = TopK(intArrayOf(2, 1, 3, 4), floatArrayOf(4f, 3f, 2f, 1f))
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
        const val GOLDEN = """{"tolerance": {"relative_state_error": 1e-5, "score_error": 1e-5, "cosine_error": 1e-5},
            "cases": [
            {"history": [], "state_sum": 0, "state_norm": 0, "items": [1, 2, 3, 4], "scores": [4, 3, 2, 1]},
            {"history": [1, 2], "state_sum": 5.0, "state_norm": 3.0, "items": [1, 2, 3, 4],
             "scores": [4.0, 3.0, 2.0, 1.0]}],
            "lists": [
            {"history": [3], "k": 2, "filter": {"exclude_seen": true, "boost": {"b": 6}}, "items": [2, 1],
             "scores": [9.0, 4.0], "near": {}},
            {"history": [], "k": 7, "filter": {"among": ["d"], "most_per": {"brand": 1}}, "items": [4],
             "scores": [1], "near": {"3": 1}}],
            "similar": [{"item": 4, "k": 2, "filter": {"where": {"brand": ["Acme"]}, "without": []}, "items": [1],
             "scores": [0.5], "near": {}},
            {"item": 4, "k": 2, "filter": {}, "items": [3, 1], "scores": [0.75, 0.5], "near": {}}]}"""
        val GOLDEN_OF_TWO = GOLDEN.replace("[1, 2, 3, 4]", "[1, 2]").replace("[4, 3, 2, 1]", "[4, 3]")
            .replace("[4.0, 3.0, 2.0, 1.0]", "[4.0, 3.0]")
    }
}
