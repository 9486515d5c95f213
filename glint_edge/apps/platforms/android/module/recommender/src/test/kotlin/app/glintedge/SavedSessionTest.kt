package app.glintedge

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** The format that every platform shares; the bytes are what Python writes. */
class SavedSessionTest {

    private val digest = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"
    private val state = floatArrayOf(0f, 1.5f, -2.25e-3f)
    private val ids = listOf(1, 258, 70000)
    private val bytes = HEX.chunked(2).map { it.toInt(16).toByte() }.toByteArray()

    private fun unpack(saved: ByteArray, model: String = digest, floats: Int = 3, items: Int = 70000) =
        SavedSession.unpack(saved, model, floats, items)

    private fun refusal(call: () -> Unit) = assertThrows(GlintException::class.java) { call() }.code

    @Test
    fun theBytesAreTheSameEverywhere() {
        assertArrayEquals(bytes, SavedSession(digest, state, ids).pack())
        val session = unpack(bytes)
        assertArrayEquals(state, session.state, 0f)
        assertEquals(ids, session.ids)
    }

    @Test
    fun whatAWindowHasPassedIsKeptOnce() {
        val ids = listOf(1, 2, 1, 3, 4, 2, 5, 6, 5)
        assertEquals(listOf(1, 3, 4, 2, 5, 6, 5), idsToSave(ids, 3))
        assertEquals(listOf(1, 3, 4, 2, 6, 5), idsToSave(ids, 2))
        for (window in listOf(9, 10, null)) assertEquals(ids, idsToSave(ids, window))
    }

    @Test
    fun whatIsNotThisModelsIsRefused() {
        assertEquals(GlintException.Code.OTHER_MODEL, refusal { unpack(bytes, model = "f".repeat(64)) })
        assertEquals(GlintException.Code.DAMAGED, refusal { unpack(bytes, floats = 4) })
        val noNumber = SavedSession(digest, floatArrayOf(0f, Float.NaN, 1f), ids).pack()
        assertEquals(GlintException.Code.DAMAGED, refusal { unpack(noNumber) })
        assertEquals(GlintException.Code.DAMAGED, refusal { unpack(bytes, items = 69999) })
        assertEquals(GlintException.Code.UPGRADE, refusal { unpack(bytes.copyOf().also { it[8] = 2 }) })
    }

    @Test
    fun everyFlippedBitAndEveryCutIsSeen() {
        for (place in bytes.indices) {
            refusal { unpack(bytes.copyOf().also { it[place] = (it[place].toInt() xor 1).toByte() }) }
            refusal { unpack(bytes.copyOf(place)) }
        }
    }

    private companion object {
        const val HEX = "474c494e54534553" + "01000000" + "03000000" +
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff" + "03000000" +
            "000000000000c03fbc7413bb" +
            "010000000201000070110100455c7098"
    }
}
