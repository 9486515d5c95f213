package app.glintedge

import kotlin.math.abs
import kotlin.math.sqrt
import org.json.JSONArray
import org.json.JSONObject

/**
 * Replay golden.json, item by item by `append` and at once by `append_many`: does this device
 * compute what was exported.
 *
 * @return one sentence for each case that differs beyond the file's own tolerance.
 */
fun replayGolden(recommender: Recommender): List<String> {
    val manifest = AppBundle.readManifest(recommender.folder)
    val golden = JSONObject(AppBundle.checked(recommender.folder, manifest, "golden.json").decodeToString())
    val tolerance = golden.getJSONObject("tolerance")
    val cases = golden.getJSONArray("cases")
    return List(cases.length()) { cases.getJSONObject(it) }.flatMapIndexed { number, case ->
        val history = case.getJSONArray("history").toInts()
        val oneByOne = history.indices.fold(recommender.empty) { state, place ->
            recommender.step(state, history.take(place), history[place])
        }
        listOf("append" to oneByOne, "append_many" to recommender.encode(history)).mapNotNull { (method, state) ->
            val wrong = stateErrors(case, tolerance, state) + listErrors(case, tolerance, recommender.ranked(state))
            if (wrong.isEmpty()) null else "by $method, golden case $number: ${wrong.joinToString(", and ")}"
        }
    }
}

private fun stateErrors(case: JSONObject, tolerance: JSONObject, state: FloatArray): List<String> {
    val allowed = tolerance.getDouble("relative_state_error") * case.getDouble("state_norm")
    val found = mapOf(
        "state_sum" to state.sumOf { it.toDouble() },
        "state_norm" to sqrt(state.sumOf { it.toDouble() * it }),
    )
    // Negated, so that NaN is wrong.
    return found.filterNot { (name, value) -> abs(value - case.getDouble(name)) <= allowed }
        .map { (name, value) -> "$name is $value, not ${case.getDouble(name)}" }
}

private fun listErrors(case: JSONObject, tolerance: JSONObject, found: TopK): List<String> {
    val items = case.getJSONArray("items").toInts()
    val scores = List(items.size) { case.getJSONArray("scores").getDouble(it) }
    val allowed = tolerance.getDouble("score_error")
    if (found.ids.size != items.size) {
        return listOf("it recommends ${found.ids.size} items, not ${items.size}")
    }
    val computed = case.getJSONArray("history").length() > 0
    // Items whose scores differ by no more than the tolerance may swap, and one from beyond the
    // list may come in where the score is that near to the last. Without a history nothing is
    // computed, and the order is exact.
    fun mayStand(id: Int, place: Int): Boolean {
        val other = scores[if (id in items) items.indexOf(id) else items.lastIndex]
        return id == items[place] || (computed && abs(scores[place] - other) <= allowed)
    }
    return items.indices.flatMap { place ->
        val id = found.ids[place]
        listOfNotNull(
            "the score in place ${place + 1} is ${found.scores[place]}, not ${scores[place]}"
                .takeUnless { abs(found.scores[place] - scores[place]) <= allowed },
            "item $id is in the list twice".takeIf { found.ids.indexOf(id) != place },
            "item $id in place ${place + 1} should be ${items[place]}".takeUnless { mayStand(id, place) },
        )
    }
}

private fun JSONArray.toInts(): List<Int> = List(length()) { getInt(it) }
