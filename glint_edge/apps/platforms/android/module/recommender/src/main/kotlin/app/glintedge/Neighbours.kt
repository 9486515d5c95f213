package app.glintedge

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.ln1p

/**
 * What neighbours do to an item.
 *
 * @property rise added to its score.
 * @property because the id of the item of the history that has the largest share in it.
 */
internal class Pull(val rise: Float, val because: Int)

/**
 * What was tapped near what, in a log: it raises the scores of the items near a history's last ones.
 *
 * neighbours.bin, a file that a bundle may have; all numbers little endian:
 *
 *     0   "GENB"
 *     4   u32 version of this format, 1
 *     8   u32 R, rows of the item table, as the log had them; an item after these has no neighbours
 *     12  u32 C, neighbours of all rows together
 *     16  u32 bytes of an id: 2 or 4; 2 is too few where R is above 65,536
 *     20  u32 L, how many of a history's last items count
 *     24  float32 decay, of each step back; then float32 c and float32 gamma
 *     36  u32 0
 *     40  (R + 1) × u32, where each row's neighbours begin, then R × float32 scales,
 *         C × u8 weights, C × ids, ascending in a row, to the file's end
 *
 * A neighbour's weight is its row's scale times its own number. An item's nearness e to a history is
 * the mean of its weights in the rows of the last L items, of which the one s steps back counts
 * decay^s times; its score rises by c · log(1 + gamma · e). One of these last L items itself does
 * not rise, unless it is in its own row: what is never tapped again is not brought back.
 *
 * @property last how many of a history's last items count.
 */
internal class Neighbours private constructor(private val bytes: ByteBuffer, items: Int) {
    private val rows = word(8)
    private val count = word(12)
    private val idBytes = word(16)
    private val decay = bytes.getFloat(24).toDouble()
    private val c = bytes.getFloat(28).toDouble()
    private val gamma = bytes.getFloat(32).toDouble()
    private val scales = HEADER + 4 * (rows + 1)
    private val weights = scales + 4 * rows
    private val ids = weights + count
    val last = word(20).coerceAtMost(Int.MAX_VALUE.toLong()).toInt()

    init {
        requireNumbers(items)
        requireRows()
    }

    /** By how much a list's scores may differ from those of another platform. */
    val rounding: Double get() = ROUNDING * rise(1.0)

    /** By id, what a history does to the items that are near its last ones. */
    fun pulls(history: List<Int>): Map<Int, Pull> {
        class Nearness(var sum: Double, var largest: Double, var because: Int)

        val nearness = HashMap<Int, Nearness>()
        var weight = 1.0
        var total = 0.0
        val counting = history.takeLast(last).asReversed()
        for (item in counting) {
            if (item < rows) {
                val scale = scale(item.toLong())
                for (place in start(item.toLong()) until start(item + 1L)) {
                    val share = weight * (scale * number(place))
                    val near = nearness.getOrPut(id(place).toInt()) { Nearness(0.0, 0.0, item) }
                    near.sum += share
                    if (share > near.largest) { // of equals, the later item's
                        near.largest = share
                        near.because = item
                    }
                }
            }
            total += weight
            weight *= decay
        }
        for (item in counting) if (!comesAgain(item)) nearness.remove(item)
        return nearness.mapValues { (_, near) -> Pull(rise(near.sum / total).toFloat(), near.because) }
    }

    /** Whether an item is a neighbour of itself. */
    private fun comesAgain(item: Int): Boolean =
        item < rows && (start(item.toLong()) until start(item + 1L)).any { id(it) == item.toLong() }

    private fun rise(nearness: Double): Double = c * ln1p(gamma * nearness)

    private fun requireNumbers(items: Int) {
        require(rows in 2..items + 1L) { "its rows are not those of this model" }
        require(idBytes == 4L || (idBytes == 2L && rows <= MOST_ROWS_OF_SHORT_IDS)) { "the size of its ids" }
        require(last in 1..MOST_LAST) { "how many items count" }
        // NaN is in none of these.
        require(decay > 0 && decay <= 1) { "its decay" }
        require(c >= 0 && c <= MOST_C) { "its c" }
        require(gamma > 0 && gamma <= MOST_GAMMA) { "its gamma" }
        require(word(36) == 0L) { "a number of a later version" }
        require(bytes.limit().toLong() == ids + count * idBytes) { "its size" }
    }

    private fun requireRows() {
        require(start(0) == 0L && start(rows) == count) { "where its rows begin" }
        for (row in 0 until rows) {
            val places = start(row) until start(row + 1)
            require(start(row) <= start(row + 1) && start(row + 1) <= count) { "where its rows begin" }
            val scale = scale(row)
            require(scale.isFinite() && (scale > 0 || (scale == 0f && places.isEmpty()))) { "a scale" }
            var before = 0L
            for (place in places) {
                require(id(place) > before && id(place) < rows) { "an id, or the order of ids" }
                require(number(place) != 0) { "a weight" }
                before = id(place)
            }
        }
    }

    private fun word(place: Long): Long = bytes.getInt(place.toInt()).toLong() and 0xFFFFFFFFL

    private fun start(row: Long): Long = word(HEADER + 4 * row)

    private fun scale(row: Long): Float = bytes.getFloat((scales + 4 * row).toInt())

    private fun number(place: Long): Int = bytes.get((weights + place).toInt()).toInt() and 0xFF

    private fun id(place: Long): Long = (ids + idBytes * place).let {
        if (idBytes == 2L) bytes.getShort(it.toInt()).toLong() and 0xFFFF else word(it)
    }

    companion object {
        const val FILE = "neighbours.bin"
        private const val VERSION = 1L
        private const val HEADER = 40L
        private const val MOST_ROWS_OF_SHORT_IDS = 65_536L
        private const val MOST_LAST = 64
        private const val MOST_C = 10.0
        private const val MOST_GAMMA = 1e6

        /** Platforms round otherwise: so much of the largest rise is allowed beside a golden score. */
        private const val ROUNDING = 1e-4

        /**
         * @param items how many the catalogue has.
         * @throws GlintException `UPGRADE`; what else is wrong is an `IllegalArgumentException`.
         */
        fun of(bytes: ByteArray, items: Int): Neighbours {
            val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
            val isOne = bytes.size >= HEADER && String(bytes, 0, 4, Charsets.ISO_8859_1) == "GENB"
            require(isOne) { "it holds no neighbours" }
            val version = buffer.getInt(4).toLong() and 0xFFFFFFFFL
            if (version > VERSION) {
                throw GlintException(
                    GlintException.Code.UPGRADE,
                    "$FILE has version $version, this app reads $VERSION; upgrade the app",
                )
            }
            require(version == VERSION) { "its version" }
            return Neighbours(buffer, items)
        }
    }
}
