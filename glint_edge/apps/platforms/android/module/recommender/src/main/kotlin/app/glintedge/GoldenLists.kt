package app.glintedge

import kotlin.math.abs
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * A list of golden.json that was asked for with filters; items and scores best first.
 *
 * @property history of a list after a history.
 * @property item of what is like an item, its id; null: the list comes after the history.
 * @property scores boosts among them.
 * @property neighbours whether the bundle's have a part in it.
 * @property near other items that another machine's rounding may put in, with their scores.
 */
internal class GoldenList(
    val history: List<Int>,
    val item: Int?,
    val k: Int,
    val excludeSeen: Boolean,
    val filters: Filters,
    val items: List<Int>,
    val scores: List<Double>,
    val near: Map<Int, Double>,
    val neighbours: Boolean,
) {
    /** What a list has wrong, with this much allowed of each score. */
    fun errors(ids: List<Int>, listScores: List<Float>, error: Double): List<String> {
        if (ids.size != items.size) return listOf("it lists ${ids.size} items, not ${items.size}")
        val known = near + items.zip(scores)
        // Without a history nothing is computed, and the order is exact.
        val swap = if (item == null && history.isEmpty()) 0.0 else error
        return ids.indices.flatMap { place ->
            val id = ids[place]
            val isNear = known[id]?.let { abs(it - scores[place]) <= swap } ?: false
            listOfNotNull(
                // Negated, so that NaN is wrong.
                "the score in place ${place + 1} is ${listScores[place]}, not ${scores[place]}"
                    .takeUnless { abs(listScores[place] - scores[place]) <= error },
                "item $id is in the list twice".takeIf { ids.indexOf(id) != place },
                "item $id in place ${place + 1} should be ${items[place]}".takeUnless { id == items[place] || isNear },
            )
        }
    }

    companion object {
        private const val MOST_K = 100_000_000L

        /** One of "lists", or of "similar". */
        fun of(list: JSONObject, bundle: AppBundle, isSimilar: Boolean): GoldenList {
            val ids = 1..bundle.keys.size - 1L
            val filter = list.getJSONObject("filter")
            val k = list.whole("k", 1..MOST_K).toInt()
            val items = list.getJSONArray("items").values().map { wholeOf(it, ids).toInt() }
            val scores = list.getJSONArray("scores").values().map(::numberOf)
            if (items.size != scores.size || items.size > k) throw JSONException("a list has not a score an item, or k")
            return GoldenList(
                history = if (isSimilar) emptyList() else list.getJSONArray("history").values().map { wholeOf(it, ids).toInt() },
                item = if (isSimilar) list.whole("item", ids).toInt() else null,
                k = k,
                excludeSeen = filter.has("exclude_seen") && truthOf(filter.get("exclude_seen")),
                filters = filtersOf(filter),
                items = items,
                scores = scores,
                near = list.getJSONObject("near").let { near ->
                    near.keys().asSequence().associate { wholeOf(it.toLongOrNull() ?: it, ids).toInt() to near.number(it) }
                },
                neighbours = !isSimilar && list.has("neighbours") && truthOf(list.get("neighbours")),
            )
        }

        private fun filtersOf(filter: JSONObject): Filters {
            var filters = Filters()
            for (word in filter.keys()) {
                filters = when (word) {
                    "exclude_seen" -> filters
                    "without" -> filters.copy(without = textsOf(filter.getJSONArray(word)))
                    "among" -> filters.copy(among = textsOf(filter.getJSONArray(word)))
                    "where" -> filters.copy(where = each(filter, word) { of, name -> textsOf(of.getJSONArray(name)) })
                    "boost" -> filters.copy(boost = each(filter, word) { of, key -> pushOf(of.number(key)) })
                    "most_per" -> filters.copy(mostPer = each(filter, word) { of, name -> of.whole(name, 1..MOST_K).toInt() })
                    else -> throw JSONException("a filter is unknown")
                }
            }
            return filters
        }

        private fun <T> each(filter: JSONObject, word: String, read: (JSONObject, String) -> T): Map<String, T> =
            filter.getJSONObject(word).let { of -> of.keys().asSequence().associateWith { read(of, it) } }

        private fun textsOf(texts: JSONArray): List<String> = texts.values().map(::textOf)

        private fun pushOf(push: Double): Double =
            push.takeIf { abs(it) <= MOST_BOOST } ?: throw JSONException("a boost is too large")
    }
}
