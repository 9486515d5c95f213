package app.glintedge

/**
 * One person's history, and the state the model keeps of it; for one thread at a time. Begun by
 * `Recommender.start` or `Recommender.resume`.
 */
class Session internal constructor(
    private val recommender: Recommender,
    ids: List<Int>,
    private var state: FloatArray,
    skipped: Int,
) {
    private val ids = ids.toMutableList()

    /** How many unknown items were left out since it began. */
    var skipped: Int = skipped
        private set

    /** The keys taken in, the oldest first: what a session of another bundle is started from. */
    val history: List<String> get() = ids.map(recommender::keyOf)

    /**
     * Take in one more item, at constant cost. Of a sliding window, the last N items are encoded
     * again once a quarter of N came after them.
     *
     * @throws GlintException `UNKNOWN_ITEM`, unless those are skipped; the session is as it was.
     */
    fun append(key: String) {
        val id = recommender.idOf(key)
        if (id == null) {
            skipped++
            return
        }
        state = recommender.step(state, ids, id)
        ids += id
    }

    /**
     * The k best items, best first; fewer only where the filters leave fewer. Keys that are not in
     * the catalogue say nothing in a filter: what is in stock may be newer than the model.
     *
     * @param k so many, also more than the artifact gives at once.
     * @param excludeSeen leave out the session's own items, or none of them; null: all of them where
     *   nobody takes an item again in the log of the training, else the last one.
     * @param without keys to leave out.
     * @param among keys to choose from; null: all.
     * @param where by field, the values of which one must be the item's; an item without the field
     *   is left out.
     * @param boost by key, what is added to the item's score; at most a million up or down.
     * @param mostPer by field, how many items of one value there may be at most; an item without
     *   the field counts as of none.
     * @param neighbours raise what is tapped near the history's last items in the log; null: if the
     *   bundle has neighbours; false: the model alone.
     * @throws GlintException `ARGUMENT`: k is below 1, or no item has a field, or a number is too large, or
     *   there are no neighbours.
     */
    fun top(
        k: Int = 10,
        excludeSeen: Boolean? = null,
        without: Collection<String> = emptyList(),
        among: Collection<String>? = null,
        where: Map<String, Collection<String>> = emptyMap(),
        boost: Map<String, Number> = emptyMap(),
        mostPer: Map<String, Int> = emptyMap(),
        neighbours: Boolean? = null,
    ): List<Recommendation> =
        top(k, excludeSeen, Filters(without, among, where, boost, mostPer), neighbours)

    internal fun top(
        k: Int,
        excludeSeen: Boolean?,
        filters: Filters,
        neighbours: Boolean?,
    ): List<Recommendation> {
        val pulls = recommender.pulls(neighbours, ids)
        return recommender.best(k, filters, leftOut(excludeSeen), pulls) { bias -> recommender.ranked(state, bias) }
    }

    /** The part of the history that a list leaves out. */
    private fun leftOut(excludeSeen: Boolean?): List<Int> = when (excludeSeen) {
        null -> if (recommender.excludesSeen) ids else ids.takeLast(1)
        true -> ids
        false -> emptyList()
    }

    /**
     * For `Recommender.resume`, on any platform, with the same bundle. What a sliding window has
     * passed is kept as seen: each item once.
     */
    fun save(): ByteArray =
        SavedSession(recommender.digest, state, idsToSave(ids, recommender.bundle.kept)).pack()
}
