package app.glintedge

import java.io.File
import kotlin.math.abs
import kotlin.math.sqrt
import org.json.JSONException
import org.json.JSONObject

/**
 * A history and what it must give; scores and items best first.
 *
 * @property exact what the engine gives on every machine; null: the bundle has no file of its.
 */
internal class GoldenCase(
    val history: List<Int>,
    val stateSum: Double,
    val stateNorm: Double,
    val items: List<Int>,
    val scores: List<Double>,
    val exact: Exact?,
) {
    /** @property state 32-bit FNV-1a of the state's bytes, little endian, in hexadecimal. */
    class Exact(val state: String, val items: List<Int>, val scores: List<Float>)
}

/** golden.json: cases and lists with filters, and how near a runtime must come. */
internal class Golden(
    val stateError: Double,
    val scoreError: Double,
    val cosineError: Double,
    val cases: List<GoldenCase>,
    val lists: List<GoldenList>,
) {
    companion object {
        /** @throws GlintException golden.json is missing, damaged, or of another model. */
        fun read(bundle: AppBundle): Golden {
            val manifest = AppBundle.readManifest(bundle.folder)
            return AppBundle.ofFile(File(bundle.folder, "golden.json")) {
                val golden = parseObject(AppBundle.checked(bundle.folder, manifest, "golden.json"))
                val tolerance = golden.getJSONObject("tolerance")
                val cases = golden.getJSONArray("cases").objects().map { caseOf(it, bundle) }
                if (cases.isEmpty()) throw JSONException("it has no case")
                val stateError = positive(tolerance, "relative_state_error")
                if (stateError > 1) throw JSONException("its tolerance is above 1")
                Golden(
                    stateError,
                    positive(tolerance, "score_error"),
                    positive(tolerance, "cosine_error"),
                    cases,
                    listOf("lists", "similar").flatMap { name ->
                        golden.getJSONArray(name).objects().map { GoldenList.of(it, bundle, name == "similar") }
                    },
                )
            }
        }

        private fun caseOf(case: JSONObject, bundle: AppBundle): GoldenCase {
            val most = bundle.keys.size - 1L
            val items = case.getJSONArray("items").values().map { wholeOf(it, 1..most).toInt() }
            val scores = case.getJSONArray("scores").values().map(::numberOf)
            if (listOf(items.size, scores.size).any { it != bundle.shapes.topK }) {
                throw JSONException("a case has not as many items and scores as a list")
            }
            val history = case.getJSONArray("history").values().map { wholeOf(it, 0..most).toInt() }
            val exact = if (case.has("exact")) exactOf(case.getJSONObject("exact"), 1..most) else null
            return GoldenCase(history, case.number("state_sum"), positive(case, "state_norm"), items, scores, exact)
        }

        private fun exactOf(exact: JSONObject, ids: LongRange) = GoldenCase.Exact(
            exact.match("state", Regex("[0-9a-f]{8}")),
            exact.getJSONArray("items").values().map { wholeOf(it, ids).toInt() },
            exact.getJSONArray("scores").values().map { numberOf(it).toFloat() },
        )

        private fun positive(values: JSONObject, name: String): Double =
            values.number(name).takeIf { it >= 0 } ?: throw JSONException("$name is below 0")
    }

    /** What a state after a case's history, and its list, have wrong. */
    fun errors(case: GoldenCase, state: FloatArray, list: TopK): List<String> =
        stateErrors(case, state) + listErrors(case, list)

    /** What is not the same to the last bit; for the engine. */
    fun otherBits(case: GoldenCase, state: FloatArray, list: TopK): List<String> {
        val exact = case.exact ?: return emptyList()
        return listOfNotNull(
            "the state's hash is ${hashOf(state)}, not ${exact.state}".takeIf { hashOf(state) != exact.state },
            "its items are not, one for one, those of elsewhere".takeIf { list.ids.toList() != exact.items },
            "its scores are not, bit for bit, those of elsewhere".takeIf { list.scores.toList() != exact.scores },
        )
    }

    private fun hashOf(state: FloatArray): String {
        var hash = 0x811c9dc5u
        for (value in state) {
            for (byte in 0..3) {
                hash = (hash xor (value.toRawBits().toUInt() shr (8 * byte) and 0xffu)) * 0x01000193u
            }
        }
        return hash.toString(16).padStart(8, '0')
    }

    private fun stateErrors(case: GoldenCase, state: FloatArray): List<String> = listOf(
        Triple("state_sum", state.sumOf { it.toDouble() }, case.stateSum),
        Triple("state_norm", sqrt(state.sumOf { it.toDouble() * it }), case.stateNorm),
    )
        // Negated, so that NaN is wrong.
        .filterNot { (_, value, expected) -> abs(value - expected) <= stateError * case.stateNorm }
        .map { (name, value, expected) -> "$name is $value, not $expected" }

    private fun listErrors(case: GoldenCase, list: TopK): List<String> {
        if (list.ids.size != case.items.size) {
            return listOf("it recommends ${list.ids.size} items, not ${case.items.size}")
        }
        return case.items.indices.flatMap { place ->
            val id = list.ids[place]
            listOfNotNull(
                "the score in place ${place + 1} is ${list.scores[place]}, not ${case.scores[place]}"
                    .takeUnless { abs(list.scores[place] - case.scores[place]) <= scoreError },
                "item $id is in the list twice".takeIf { list.ids.indexOf(id) != place },
                "item $id in place ${place + 1} should be ${case.items[place]}"
                    .takeUnless { mayStand(case, id, place) },
            )
        }
    }

    /**
     * Items whose scores differ by no more than the tolerance may swap, and one from beyond the list
     * may come in where the score is that near to the last. Without a history nothing is computed,
     * and the order is exact.
     */
    private fun mayStand(case: GoldenCase, id: Int, place: Int): Boolean {
        val other = case.scores[if (id in case.items) case.items.indexOf(id) else case.items.lastIndex]
        val near = abs(case.scores[place] - other) <= scoreError
        return id == case.items[place] || (case.history.isNotEmpty() && near)
    }
}

/**
 * Replay golden.json, item by item by `append` and at once by `append_many`, and its lists with
 * filters: does this device compute what was exported.
 *
 * @return one sentence for each case that differs beyond the file's own tolerance.
 */
fun replayGolden(recommender: Recommender): List<String> {
    val golden = Golden.read(recommender.bundle)
    return replayCases(recommender, golden) + replayLists(recommender, golden)
}

private fun replayCases(recommender: Recommender, golden: Golden): List<String> =
    golden.cases.flatMapIndexed { number, case ->
        val oneByOne = case.history.indices.fold(recommender.empty) { state, place ->
            recommender.step(state, case.history.take(place), case.history[place])
        }
        val atOnce = recommender.encode(case.history)
        listOf("append" to oneByOne, "append_many" to atOnce).mapNotNull { (method, state) ->
            val list = recommender.ranked(state)
            val wrong = golden.errors(case, state, list) +
                if (recommender.engine.isExact) golden.otherBits(case, state, list) else emptyList()
            if (wrong.isEmpty()) null else "by $method, golden case $number: ${wrong.joinToString(", and ")}"
        }
    }

private fun replayLists(recommender: Recommender, golden: Golden): List<String> =
    golden.lists.mapIndexedNotNull { number, list ->
        // An app's part of a bundle may lack the file.
        val rounding = if (list.neighbours) recommender.bundle.neighbours?.rounding ?: return@mapIndexedNotNull null else 0.0
        val error = if (list.item == null) golden.scoreError + rounding else golden.cosineError
        val recommendations = if (list.item == null) {
            val session = recommender.start(list.history.map(recommender::keyOf))
            session.top(list.k, list.excludeSeen, list.filters, list.neighbours)
        } else {
            recommender.similar(recommender.keyOf(list.item), list.k, list.filters)
        }
        val ids = recommendations.mapNotNull { recommender.idOf(it.key) }
        val wrong = list.errors(ids, recommendations.map { it.score }, error)
        if (wrong.isEmpty()) null else "golden list $number: ${wrong.joinToString(", and ")}"
    }

/**
 * Run the longest golden case that no window cuts, once, by each of the three methods: what a load
 * can afford. It also sets up in the runtime what later calls use.
 *
 * @throws GlintException it gives anything else.
 */
internal fun requireGolden(recommender: Recommender) {
    val golden = Golden.read(recommender.bundle)
    val case = golden.cases.filter { it.history.size <= recommender.bundle.longest }.maxByOrNull { it.history.size }
        ?: return
    val before = case.history.dropLast(1)
    val state = recommender.encode(before).let { begun ->
        if (case.history.isEmpty()) begun else recommender.step(begun, before, case.history.last())
    }
    val wrong = golden.errors(case, state, recommender.ranked(state)).firstOrNull() ?: return
    throw damaged(
        "${recommender.bundle.folder} does not compute what was exported " +
            "(golden case ${golden.cases.indexOf(case)}: $wrong); copy the bundle again",
    )
}
