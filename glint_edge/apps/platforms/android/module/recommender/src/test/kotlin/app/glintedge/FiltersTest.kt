package app.glintedge

import java.io.File
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What filters let through, beside what sorting all scores gives. */
class FiltersTest {

    // A shop of two fields: each item has a kind, each third a brand.
    private val keys = listOf("") + (1..ITEMS).map { "k$it" }
    private val kinds = (1..ITEMS).associate { "k$it" to "ABCD"[it % 4].toString() }
    private val brands = (3..ITEMS step 3).associate { "k$it" to "AB"[it % 2].toString() }
    private val fields = mapOf("kind" to kinds, "brand" to brands, "none" to mapOf("nobody's" to "x"))
    private val index = FilterIndex(bundleOf(fields))
    private val random = Random(7)
    private var asked = 0

    private fun bundleOf(fields: Map<String, Map<String, String>>) = AppBundle(
        folder = File("."), digest = "", shapes = Shapes(state = 2, chunk = 2, topK = TOP_K, rows = ITEMS + 7),
        longest = 4, window = 4, mostHeld = 5, artifact = File("."), keys = keys, titles = emptyMap(),
        fields = fields, images = emptyMap(), repeats = null,
    )

    /** An artifact with these scores of all items, by id, as it answers at once. */
    private fun artifactOf(scores: FloatArray) = { bias: FloatArray? ->
        asked++
        val all = (1..ITEMS).map { it to scores[it] + (bias?.get(it) ?: 0f) }
        val list = all.sortedByDescending { it.second }.take(TOP_K).filter { it.second >= NOTHING_LEFT }
        TopK(list.map { it.first }.toIntArray(), list.map { it.second }.toFloatArray())
    }

    /** The list by its definition: all scores, sorted, and what may stand is taken. */
    private fun expected(scores: FloatArray, k: Int, filters: Filters, seen: List<Int>): List<Int> {
        val taken = HashMap<Pair<String, String>, Int>()
        return (1..ITEMS)
            .filter { id ->
                id !in seen && keys[id] !in filters.without && filters.among?.contains(keys[id]) != false &&
                    filters.where.all { (name, values) -> fields.getValue(name)[keys[id]] in values }
            }
            .sortedByDescending { scores[it] + (filters.boost[keys[it]]?.toFloat() ?: 0f) }
            .filter { id ->
                val values = filters.mostPer.keys.mapNotNull { name -> fields.getValue(name)[keys[id]]?.let { name to it } }
                val fits = values.all { taken.getOrDefault(it, 0) < filters.mostPer.getValue(it.first) }
                if (fits) values.forEach { taken.merge(it, 1, Int::plus) }
                fits
            }
            .take(k)
    }

    private fun someKeys(most: Int) = List(random.nextInt(most)) { "k${1 + random.nextInt(ITEMS)}" } + "newer than the model"

    @Test
    fun everyListIsTheSortedOne() {
        repeat(300) { round ->
            val scores = FloatArray(ITEMS + 7) { random.nextInt(100_000) / 7f }
            val filters = Filters(
                without = if (random.nextBoolean()) someKeys(6) else emptyList(),
                among = if (random.nextInt(3) == 0) someKeys(20) else null,
                where = buildMap {
                    if (random.nextInt(3) == 0) put("kind", listOf("A", "C", "no value"))
                    if (random.nextInt(6) == 0) put("brand", listOf("B"))
                },
                boost = someKeys(4).associateWith { 1e6 - 250 * round },
                mostPer = buildMap {
                    if (random.nextInt(3) == 0) put("kind", 1 + random.nextInt(3))
                    if (random.nextInt(4) == 0) put("brand", 1)
                },
            )
            val seen = List(random.nextInt(12)) { 1 + random.nextInt(ITEMS) }
            val k = 1 + random.nextInt(2 * TOP_K + 3)
            val list = index.best(k, filters, seen, ask = artifactOf(scores))
            assertEquals(expected(scores, k, filters, seen), list.ids.toList())
            assertEquals(list.scores.sortedDescending(), list.scores.toList())
        }
    }

    /** As if the artifact had it in its scores; what is left out stays out. */
    @Test
    fun whatNeighboursAddCounts() {
        val scores = FloatArray(ITEMS + 7) { -it.toFloat() }
        val pulls = mapOf(7 to Pull(30f, 1), 40 to Pull(45.5f, 2), 1 to Pull(0.25f, 2), 12 to Pull(99f, 1))
        val raised = scores.copyOf().also { for ((id, pull) in pulls) it[id] += pull.rise }
        for (filters in listOf(Filters(), Filters(boost = mapOf("k7" to -28.5)), Filters(among = listOf("k40", "k7", "k2")))) {
            for (k in listOf(3, TOP_K + 2)) {
                val list = index.best(k, filters, listOf(12), pulls, artifactOf(scores))
                assertEquals(expected(raised, k, filters, listOf(12)), list.ids.toList())
            }
        }
    }

    @Test
    fun theArtifactIsAskedAgainForMoreThanItGivesAtOnce() {
        val scores = FloatArray(ITEMS + 7) { -it.toFloat() }
        for ((k, times) in listOf(TOP_K to 1, TOP_K + 1 to 2, Int.MAX_VALUE to ITEMS / TOP_K + 1)) {
            asked = 0
            index.best(k, Filters(), emptyList(), ask = artifactOf(scores))
            assertEquals(times, asked)
        }
        assertEquals(0, index.best(10, Filters(among = emptyList()), emptyList(), ask = artifactOf(scores)).ids.size)
    }

    @Test
    fun whatCannotBeMeantIsRefused() {
        fun refusal(filters: Filters, k: Int = 3, of: FilterIndex = index): String {
            val call = { of.best(k, filters, emptyList(), ask = artifactOf(FloatArray(ITEMS + 7))) }
            val error = assertThrows(GlintException::class.java) { call() }
            assertEquals(GlintException.Code.ARGUMENT, error.code)
            return error.message!!
        }
        assertEquals("k is at least 1, not 0", refusal(Filters(), k = 0))
        for (name in listOf("colour", "none")) {
            val said = "no item has the field '$name'; the fields are kind, brand"
            assertEquals(said, refusal(Filters(where = mapOf(name to listOf("red")))))
            assertEquals(said, refusal(Filters(mostPer = mapOf(name to 1))))
        }
        assertTrue("at least 1" in refusal(Filters(mostPer = mapOf("kind" to 0))))
        for (push in listOf(1e7, -1000000.5, Double.NaN, Double.POSITIVE_INFINITY)) {
            assertTrue("from -1000000 to 1000000" in refusal(Filters(boost = mapOf("k1" to push))))
        }
        val bare = refusal(Filters(where = mapOf("kind" to listOf("A"))), of = FilterIndex(bundleOf(emptyMap())))
        assertEquals("no item has the field 'kind'; this bundle has no fields", bare)
        assertEquals(0, asked)
    }

    @Test
    fun fieldsHaveTheirValuesInTheItemsOrder() {
        assertEquals(mapOf("kind" to listOf("B", "C", "D", "A"), "brand" to listOf("B", "A")), index.fields)
    }

    private companion object {
        const val ITEMS = 40
        const val TOP_K = 5
    }
}
