package app.glintedge

/**
 * One person's history, and the state the model keeps of it; for one thread at a time. Begun by
 * `Recommender.start` or `Recommender.resume`.
 */
class Session internal constructor(
    private val recommender: Recommender,
    private var ids: List<Int>,
    private var state: FloatArray,
    skipped: Int,
) {
    /** How many unknown items were left out since it began. */
    var skipped: Int = skipped
        private set

    /** The keys taken in, the oldest first: what a session of another bundle is started from. */
    val history: List<String> get() = ids.map(recommender::keyOf)

    /**
     * Take in one more item, at constant cost. A session longer than a sliding window is encoded
     * again, from its last items.
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
        ids = ids + id
    }

    /**
     * The k best items, best first.
     *
     * @param excludeSeen leave out the session's own items; null: where nobody takes an item again
     *   in the log of the training. That filters the bundle's list, so fewer than k may be left:
     *   export with a larger `--top-k`.
     * @throws GlintException `ARGUMENT`: k is larger than what the bundle was exported for.
     */
    fun top(k: Int = 10, excludeSeen: Boolean? = null): List<Recommendation> =
        recommender.top(state, k, if (excludeSeen ?: recommender.excludesSeen) ids.toSet() else emptySet())

    /** For `Recommender.resume`, on any platform, with the same bundle. */
    fun save(): ByteArray = SavedSession(recommender.digest, state, ids).pack()
}
