package app.glintedge

import kotlin.math.abs

// Filters as numbers that the artifact adds to its scores, and the lists that this gives.

/** Leaves a row out, whatever its score and whatever else is added. */
internal const val LEFT_OUT = -1e30f

/** A score below it is of a row that is left out. */
internal const val NOTHING_LEFT = -1e29f
internal const val MOST_BOOST = 1e6

/** Which items a list may have, in the words of `Session.top`. */
internal data class Filters(
    val without: Collection<String> = emptyList(),
    val among: Collection<String>? = null,
    val where: Map<String, Collection<String>> = emptyMap(),
    val boost: Map<String, Number> = emptyMap(),
    val mostPer: Map<String, Int> = emptyMap(),
)

/** A catalogue by key and by the values of its fields. */
internal class FilterIndex(private val bundle: AppBundle) {

    /** A field: of each value a number from 1, and of each item by id its value's; 0: it has none. */
    private class Field(val numbers: Map<String, Int>, val ids: IntArray)

    /** At most so many items of each value of a field. */
    private class Limit(private val field: Field, private val most: Int) {
        private val taken = IntArray(field.numbers.size + 1)

        fun isFull(id: Int): Boolean = field.ids[id].let { it != 0 && taken[it] >= most }

        fun take(id: Int) {
            taken[field.ids[id]]++
        }
    }

    private val ids = HashMap<String, Int>(2 * bundle.keys.size).apply {
        bundle.keys.forEachIndexed { id, key -> if (id > 0) put(key, id) }
    }

    private val byName: Map<String, Field> by lazy {
        bundle.fields.mapValues { fieldOf(it.value) }.filterValues { it.numbers.isNotEmpty() }
    }

    private fun fieldOf(values: Map<String, String>): Field {
        val numbers = LinkedHashMap<String, Int>()
        val ids = IntArray(bundle.keys.size) { id ->
            values[bundle.keys[id]]?.let { numbers.getOrPut(it) { numbers.size + 1 } } ?: 0
        }
        return Field(numbers, ids)
    }

    /** Each field's values, the first item's first. */
    val fields: Map<String, List<String>> get() = byName.mapValues { it.value.numbers.keys.toList() }

    /** Null: the key is not in the catalogue. */
    fun idOf(key: String): Int? = ids[key]

    /**
     * The k best items that the filters let through; fewer only where no more are left.
     *
     * @param without ids that are left out too.
     * @param pulls by id, what neighbours add to the scores.
     * @param ask gives the artifact's list for a bias, or for none; shorter than its own length
     *   where no more items are left.
     * @throws GlintException `ARGUMENT`: k is below 1, no item has a field, or a number is too large.
     */
    fun best(
        k: Int,
        filters: Filters,
        without: List<Int>,
        pulls: Map<Int, Pull> = emptyMap(),
        ask: (FloatArray?) -> TopK,
    ): TopK {
        if (k < 1) throw argument("k is at least 1, not $k")
        val limits = limitsOf(filters)
        var bias = biasOf(filters, without, pulls)
        val items = mutableListOf<Int>()
        val scores = mutableListOf<Float>()
        while (true) {
            val list = ask(bias)
            for ((place, id) in list.ids.withIndex()) {
                if (items.size == k) break
                if (limits.any { it.isFull(id) }) continue
                items += id
                scores += list.scores[place]
                limits.forEach { it.take(id) }
            }
            if (items.size == k || list.ids.size < bundle.shapes.topK) {
                return TopK(items.toIntArray(), scores.toFloatArray())
            }
            // The artifact has more: it is asked again, without what it gave.
            bias = bias ?: FloatArray(bundle.shapes.rows)
            for (id in list.ids) bias[id] = LEFT_OUT
            if (limits.isNotEmpty()) leaveOut(bias) { id -> limits.any { it.isFull(id) } }
        }
    }

    /** What is added to the scores; null: nothing. */
    private fun biasOf(filters: Filters, without: List<Int>, pulls: Map<Int, Pull>): FloatArray? {
        for ((key, push) in filters.boost) {
            // Negated, so that NaN is wrong.
            if (!(abs(push.toDouble()) <= MOST_BOOST)) {
                throw argument("boost of \"$key\" is a number from -1000000 to 1000000, not $push")
            }
        }
        val out = without + filters.without.mapNotNull(ids::get)
        val filtered = out.isNotEmpty() || filters.among != null || filters.where.isNotEmpty()
        if (!filtered && filters.boost.isEmpty() && pulls.isEmpty()) return null
        val bias = FloatArray(bundle.shapes.rows)
        filters.among?.let { among ->
            bias.fill(LEFT_OUT)
            for (id in among.mapNotNull(ids::get)) bias[id] = 0f
        }
        // What is left out stays out: beside its number, a push is nothing.
        for ((key, push) in filters.boost) ids[key]?.let { bias[it] += push.toFloat() }
        for ((id, pull) in pulls) bias[id] += pull.rise
        for ((name, values) in filters.where) {
            val field = field(name)
            val wanted = values.mapNotNull(field.numbers::get).toSet()
            leaveOut(bias) { id -> field.ids[id] !in wanted }
        }
        for (id in out) bias[id] = LEFT_OUT
        return bias
    }

    private fun limitsOf(filters: Filters): List<Limit> = filters.mostPer.map { (name, most) ->
        if (most < 1) throw argument("mostPer of \"$name\" is at least 1, not $most")
        Limit(field(name), most)
    }

    private fun field(name: String): Field = byName[name] ?: throw argument(
        "no item has the field '$name'; " +
            if (byName.isEmpty()) "this bundle has no fields" else "the fields are ${byName.keys.joinToString(", ")}",
    )

    private inline fun leaveOut(bias: FloatArray, isSo: (Int) -> Boolean) {
        for (id in 1 until bundle.keys.size) if (isSo(id)) bias[id] = LEFT_OUT
    }
}
