package app.glintedge

import java.io.Closeable
import java.io.File

/**
 * A recommended item.
 *
 * @property score to be compared within one list alone.
 * @property fields what else the bundle tells of it, such as its category, by name.
 * @property image address of its picture, http or https, which nothing here fetches; null: none.
 * @property because the key of the history's item whose neighbour it is; null: it is none's.
 */
data class Recommendation(
    val key: String,
    val title: String?,
    val score: Float,
    val fields: Map<String, String> = emptyMap(),
    val image: String? = null,
    val because: String? = null,
)

/** What a key that is not in the catalogue does: fail, or be left out and counted. */
enum class Unknown { REFUSE, SKIP }

/**
 * A loaded bundle. Safe to use from several threads: they, and the sessions of one recommender,
 * take turns in the runtime. Nothing is ever downloaded.
 *
 *     val recommender = Recommender.load(context)
 *     val session = recommender.start(listOf("50", "181")) // your own keys, the oldest first
 *     session.append("172")
 *     session.top(10, excludeSeen = true)
 */
class Recommender private constructor(
    internal val bundle: AppBundle,
    internal val engine: Engine,
    private val unknown: Unknown,
) : Closeable {

    private var closed = false

    private val index = FilterIndex(bundle)

    /** All items that the catalogue has, for a search by title: key and title. */
    val items: List<Pair<String, String?>> by lazy { bundle.keys.drop(1).map { it to bundle.titles[it] } }

    /** The fields that some item has, such as its category, and of each its values. */
    val fields: Map<String, List<String>> by lazy { index.fields }

    /** Whether lists leave out all of the session's own items, where nobody says. */
    val excludesSeen: Boolean get() = bundle.repeats?.let { it < REPEATS_FROM } ?: false

    /** The items that the artifact gives at once: a longer list asks it again. */
    val topK: Int get() = bundle.shapes.topK

    /** The k best items after a history of keys, the oldest first; the rest is as in `Session.top`. */
    fun recommend(
        history: List<String>,
        k: Int = 10,
        excludeSeen: Boolean? = null,
        without: Collection<String> = emptyList(),
        among: Collection<String>? = null,
        where: Map<String, Collection<String>> = emptyMap(),
        boost: Map<String, Number> = emptyMap(),
        mostPer: Map<String, Int> = emptyMap(),
        neighbours: Boolean? = null,
    ): List<Recommendation> =
        start(history).top(k, excludeSeen, Filters(without, among, where, boost, mostPer), neighbours)

    /**
     * The k items most like one, which is not among them: scores are cosines, and boosts. The rest
     * is as in `Session.top`.
     *
     * @param key an unknown one, where those are skipped, is like none.
     */
    fun similar(
        key: String,
        k: Int = 10,
        without: Collection<String> = emptyList(),
        among: Collection<String>? = null,
        where: Map<String, Collection<String>> = emptyMap(),
        boost: Map<String, Number> = emptyMap(),
        mostPer: Map<String, Int> = emptyMap(),
    ): List<Recommendation> = similar(key, k, Filters(without, among, where, boost, mostPer))

    internal fun similar(key: String, k: Int, filters: Filters): List<Recommendation> {
        val id = idOf(key) ?: return emptyList()
        return best(k, filters, listOf(id)) { bias -> listed { similar(id, bias) } }
    }

    /**
     * A session that has taken in a history of keys, the oldest first.
     *
     * @throws GlintException `UNKNOWN_ITEM`, unless those are skipped.
     */
    fun start(history: List<String> = emptyList()): Session {
        val known = history.mapNotNull(::idOf)
        return Session(this, known, encode(known), history.size - known.size)
    }

    /**
     * The session that `Session.save` gave these bytes of, on any platform.
     *
     * @throws GlintException they are damaged (`DAMAGED`, `UPGRADE`) or of another model
     *   (`OTHER_MODEL`): start again from the history, which is yours to keep.
     */
    fun resume(saved: ByteArray): Session {
        val unpacked = SavedSession.unpack(saved, bundle.digest, bundle.shapes.state, bundle.keys.size - 1)
        return Session(this, unpacked.ids, unpacked.state, 0)
    }

    /** Give back what the runtime holds; nothing can be asked of it afterwards. */
    @Synchronized
    override fun close() {
        if (!closed) ofRuntime(bundle.artifact) { engine.close() }
        closed = true
    }

    // ---- what sessions are made of ----------------------------------------------------------

    internal val digest: String get() = bundle.digest

    /** A key's id; null if it is unknown and to be skipped. */
    internal fun idOf(key: String): Int? = index.idOf(key) ?: when (unknown) {
        Unknown.SKIP -> null
        Unknown.REFUSE -> throw GlintException(
            GlintException.Code.UNKNOWN_ITEM,
            "item \"$key\" is not in the catalogue; leave it out, or load with Unknown.SKIP",
        )
    }

    /** By id, what neighbours do to the items after a history; null: if there are any. */
    internal fun pulls(wanted: Boolean?, history: List<Int>): Map<Int, Pull> {
        if (wanted == true && bundle.neighbours == null) {
            throw argument("this bundle has no neighbours; export it with --neighbours 32")
        }
        return if (wanted == false) emptyMap() else bundle.neighbours?.pulls(history).orEmpty()
    }

    private fun fieldsOf(key: String): Map<String, String> = buildMap {
        for ((name, values) in bundle.fields) values[key]?.let { put(name, it) }
    }

    internal fun keyOf(id: Int): String = bundle.keys[id]

    internal val empty: FloatArray get() = FloatArray(bundle.shapes.state)

    /** The state after a history, of which the window's last items count. */
    internal fun encode(ids: List<Int>): FloatArray {
        val kept = ids.takeLast(bundle.window ?: ids.size)
        return if (kept.isEmpty()) empty else computed { appendMany(empty, kept) }
    }

    /** The state one item further; `before` is what `state` was made of. */
    internal fun step(state: FloatArray, before: List<Int>, id: Int): FloatArray {
        // A state begins with how many items it holds. It cannot forget the oldest of them: a full
        // one begins again from the last ones.
        if (bundle.window != null && state[0] >= bundle.mostHeld) return encode(before.takeLast(bundle.window) + id)
        return computed { append(state, id) }
    }

    internal fun ranked(state: FloatArray, bias: FloatArray? = null): TopK = listed { recommend(state, bias) }

    /** The artifact's list, without those that were left out, which come last. */
    private fun listed(method: Engine.() -> TopK): TopK {
        val list = call(method)
        if (list.ids.size != topK || list.scores.size != topK) {
            throw cannotRun(bundle.artifact, "it recommends ${list.ids.size} items, not $topK")
        }
        if (!list.scores.all { it.isFinite() }) throw cannotRun(bundle.artifact, "its scores are no numbers")
        val left = list.scores.indexOfFirst { it < NOTHING_LEFT }.let { if (it < 0) topK else it }
        val ids = list.ids.copyOf(left)
        if (!ids.all { it in 1 until bundle.keys.size }) {
            throw cannotRun(bundle.artifact, "it recommends items that are not in the catalogue")
        }
        return TopK(ids, list.scores.copyOf(left))
    }

    private fun computed(method: Engine.() -> FloatArray): FloatArray {
        val state = call(method)
        if (state.size != bundle.shapes.state || !state.all { it.isFinite() }) {
            throw cannotRun(bundle.artifact, "its state is not made of numbers")
        }
        return state
    }

    /** A call of the runtime, one at a time; whatever it throws is a `GlintException`. */
    @Synchronized
    private fun <T> call(method: Engine.() -> T): T {
        if (closed) {
            throw GlintException(
                GlintException.Code.ARGUMENT,
                "the recommender is closed; load the bundle again",
            )
        }
        return ofRuntime(bundle.artifact) { engine.method() }
    }

    internal fun best(
        k: Int,
        filters: Filters,
        without: List<Int>,
        pulls: Map<Int, Pull> = emptyMap(),
        ask: (FloatArray?) -> TopK,
    ): List<Recommendation> {
        val best = index.best(k, filters, without, pulls) { bias ->
            val list = ask(bias)
            // It would be asked for ever.
            if (bias != null && list.ids.any { bias[it] < NOTHING_LEFT }) {
                throw cannotRun(bundle.artifact, "it recommends items that a filter leaves out")
            }
            list
        }
        return best.ids.zip(best.scores.asIterable()) { id, score ->
            val key = keyOf(id)
            val because = pulls[id]?.let { keyOf(it.because) }
            Recommendation(key, bundle.titles[key], score, fieldsOf(key), bundle.images[key], because)
        }
    }

    companion object {
        /**
         * From this share of repeating targets on, people take an item again. Ratings and reviews
         * have none, but for a row written twice; shops, music and news 10 to 60 %.
         */
        private const val REPEATS_FROM = 0.01

        /**
         * Load a bundle's folder on the disk, once its files have been checked and a golden case
         * has been run: an artifact that computes anything else is refused.
         *
         * @throws GlintException a file is missing, damaged or of a later version, or the bundle
         *   has no artifact for this runtime.
         */
        fun load(
            folder: File,
            unknown: Unknown = Unknown.REFUSE,
            runtime: EngineFactory,
        ): Recommender {
            val bundle = AppBundle.read(folder, runtime.target)
            val engine = ofRuntime(bundle.artifact) { runtime.open(bundle.artifact, bundle.shapes) }
            val recommender = Recommender(bundle, engine, unknown)
            try {
                requireGolden(recommender)
            } catch (error: GlintException) {
                recommender.close()
                throw error
            }
            return recommender
        }
    }
}

/** What a runtime gives; what it throws, or a library that cannot be loaded, is a `GlintException`. */
private inline fun <T> ofRuntime(artifact: File, call: () -> T): T = try {
    call()
} catch (error: GlintException) {
    throw error
} catch (error: Exception) { // the runtimes' own have no other base
    throw cannotRun(artifact, reasonOf(error), error)
} catch (error: LinkageError) {
    throw cannotRun(artifact, reasonOf(error), error)
}

private fun cannotRun(artifact: File, reason: String, cause: Throwable? = null) =
    damaged("$artifact cannot be run ($reason); export the bundle again", cause)
