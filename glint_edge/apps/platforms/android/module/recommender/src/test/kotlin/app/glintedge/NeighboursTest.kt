package app.glintedge

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.ln1p
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Of four rows: item 1 has the neighbours 2 and 3, item 3 has 1; c is 1.5, gamma 30. */
internal fun neighboursFile(): ByteArray = ByteBuffer.allocate(85).order(ByteOrder.LITTLE_ENDIAN).apply {
    put("GENB".encodeToByteArray())
    for (number in listOf(1, 4, 3, 2, 8)) putInt(number)
    for (number in listOf(0.7f, 1.5f, 30f)) putFloat(number)
    for (number in listOf(0, 0, 0, 2, 2, 3)) putInt(number)
    for (scale in listOf(0f, 0.5f, 0f, 0.125f)) putFloat(scale)
    for (weight in listOf(9, 1, 255)) put(weight.toByte())
    for (id in listOf(2, 3, 1)) putShort(id.toShort())
}.array()

/** What neighbours add to scores, and files that hold none. */
class NeighboursTest {

    private fun with(bytes: ByteArray = neighboursFile(), change: ByteBuffer.() -> Unit): ByteArray =
        bytes.copyOf().also { ByteBuffer.wrap(it).order(ByteOrder.LITTLE_ENDIAN).change() }

    private fun assertPull(pulls: Map<Int, Pull>, id: Int, nearness: Double, because: Int) {
        assertEquals(1.5 * ln1p(30 * nearness), pulls.getValue(id).rise.toDouble(), 1e-5)
        assertEquals(because, pulls.getValue(id).because)
    }

    @Test
    fun theLastItemsNeighboursRise() {
        val neighbours = Neighbours.of(neighboursFile(), 5)
        for (history in listOf(emptyList(), listOf(2, 4, 5, 2))) assertTrue(neighbours.pulls(history).isEmpty())
        val one = neighbours.pulls(listOf(1))
        assertEquals(setOf(2, 3), one.keys)
        assertPull(one, 2, 4.5, 1)
        assertPull(one, 3, 0.5, 1)
        val two = neighbours.pulls(listOf(3, 1))
        assertEquals(setOf(2), two.keys) // what is taken, and not near itself, does not come again
        assertPull(two, 2, 4.5 / 1.7, 1)
        val itself = Neighbours.of(with { putShort(83, 3) }, 5).pulls(listOf(3, 1))
        assertEquals(setOf(2, 3), itself.keys)
        assertPull(itself, 3, (0.7 * 31.875 + 0.5) / 1.7, 3)
        assertPull(neighbours.pulls(listOf(1, 3, 1)), 2, 4.5 * 1.49 / 2.19, 1)
        assertPull(neighbours.pulls(listOf(1, 5)), 2, 0.7 * 4.5 / 1.7, 1) // it has no row, and is a step
        val ninth = listOf(1) + List(8) { 2 } // item 1 is the ninth from the end
        assertTrue(neighbours.pulls(ninth).isEmpty())
        assertPull(Neighbours.of(with { putInt(20, 9).putFloat(24, 1f) }, 5).pulls(ninth), 3, 0.5 / 9, 1)
        assertEquals(1.5e-4 * ln1p(30.0), neighbours.rounding, 1e-9)
        // Of equal shares the later item's: item 3 has the neighbour 2 now, as near as item 1's.
        val equal = with { putFloat(24, 1f).putFloat(72, 4.5f / 255).putShort(83, 2) }
        assertPull(Neighbours.of(equal, 5).pulls(listOf(1, 3)), 2, 4.5, 3)
    }

    @Test
    fun idsMayHaveFourBytes() {
        val wide = ByteBuffer.allocate(91).order(ByteOrder.LITTLE_ENDIAN)
        wide.put(neighboursFile(), 0, 79)
        for (id in listOf(2, 3, 1)) wide.putInt(id)
        wide.putInt(16, 4)
        assertPull(Neighbours.of(wide.array(), 3).pulls(listOf(3)), 1, 31.875, 3)
    }

    @Test
    fun whatHoldsNoneIsRefused() {
        val whole = neighboursFile()
        fun refused(bytes: ByteArray, part: String) {
            val error = assertThrows(IllegalArgumentException::class.java) { Neighbours.of(bytes, 3) }
            assertTrue(error.message, part in error.message!!)
        }
        for (size in listOf(0, 4, 39)) refused(whole.copyOf(size), "no neighbours")
        refused(with { put(3, 'C'.code.toByte()) }, "no neighbours")
        for ((place, part, values) in listOf(
            Triple(4, "its version", listOf(0)),
            Triple(8, "its rows", listOf(0, 1, 5, -1)),
            Triple(8, "its size", listOf(3)),
            Triple(12, "its size", listOf(2, 4, -1)),
            Triple(16, "its ids", listOf(0, 1, 3)),
            Triple(16, "its size", listOf(4)),
            Triple(20, "how many items", listOf(0, 65, -1)),
            Triple(36, "a later version", listOf(1)),
            Triple(40, "its rows begin", listOf(1)),
            Triple(52, "its rows begin", listOf(1, 4)),
            Triple(56, "its rows begin", listOf(0, 2, 4)),
        )) {
            for (value in values) refused(with { putInt(place, value) }, part)
        }
        for ((place, part, values) in listOf(
            Triple(24, "its decay", listOf(0f, -0.5f, 1.5f)),
            Triple(28, "its c", listOf(-0.5f, 10.5f)),
            Triple(32, "its gamma", listOf(0f, -1f, 2e6f)),
            Triple(60, "a scale", listOf(-1f)),
            Triple(64, "a scale", listOf(0f, -0.5f)),
        )) {
            for (value in values + Float.NaN + Float.POSITIVE_INFINITY) refused(with { putFloat(place, value) }, part)
        }
        refused(with { put(77, 0) }, "a weight")
        for (id in listOf(0, 3, 4, -1)) refused(with { putShort(79, id.toShort()) }, "an id")
        for (id in listOf(1, 2, 4)) refused(with { putShort(81, id.toShort()) }, "an id")
        refused(whole.copyOf(84), "its size")
        refused(whole.copyOf(86), "its size")
        val newer = assertThrows(GlintException::class.java) { Neighbours.of(with { putInt(4, 2) }, 3) }
        assertEquals(GlintException.Code.UPGRADE, newer.code)
    }
}
