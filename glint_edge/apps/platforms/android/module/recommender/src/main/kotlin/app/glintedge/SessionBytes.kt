package app.glintedge

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32

/**
 * What is kept of a history: of a window its last items and, before them, each item that was seen
 * earlier and is not among them, once, in the order of their last times.
 */
internal fun idsToSave(ids: List<Int>, window: Int?): List<Int> {
    val last = ids.takeLast(window ?: ids.size)
    val before = ids.dropLast(last.size).asReversed().distinct() - last.toSet()
    return before.asReversed() + last
}

/** A saved session: the same bytes on every platform, little endian. */
internal class SavedSession(val digest: String, val state: FloatArray, val ids: List<Int>) {

    fun pack(): ByteArray {
        val bytes = ByteBuffer.allocate(HEAD + 4 * (state.size + ids.size + 1)).order(ByteOrder.LITTLE_ENDIAN)
        bytes.put(MAGIC).putInt(VERSION).putInt(ids.size)
        digest.chunked(2).forEach { bytes.put(it.toInt(16).toByte()) }
        bytes.putInt(state.size)
        state.forEach { bytes.putFloat(it) }
        ids.forEach { bytes.putInt(it) }
        bytes.putInt(crc32(bytes.array(), bytes.position()))
        return bytes.array()
    }

    companion object {
        private val MAGIC = "GLINTSES".encodeToByteArray()
        private const val VERSION = 1
        private const val HEAD = 52 // magic, version, items, digest, floats

        /**
         * Inverse of `pack`, for one model.
         *
         * @param items of the catalogue: the largest id.
         * @throws GlintException the bytes are damaged, or of another model or version.
         */
        fun unpack(saved: ByteArray, digest: String, state: Int, items: Int): SavedSession {
            if (saved.size < HEAD + 4 || !saved.copyOf(MAGIC.size).contentEquals(MAGIC)) {
                throw broken("it is no saved session, or its end is missing")
            }
            val bytes = ByteBuffer.wrap(saved).order(ByteOrder.LITTLE_ENDIAN)
            bytes.position(MAGIC.size)
            val version = bytes.getInt()
            if (version != VERSION) {
                throw GlintException(
                    GlintException.Code.UPGRADE,
                    "the saved session has format version $version, this app reads $VERSION; " +
                        "upgrade the app, or start again from the history",
                )
            }
            if (bytes.getInt(saved.size - 4) != crc32(saved, saved.size - 4)) {
                throw broken("its checksum does not match")
            }
            val count = bytes.getInt().toUInt().toLong()
            val model = ByteArray(32).also { bytes.get(it) }.joinToString("") { "%02x".format(it) }
            if (model != digest) {
                throw GlintException(
                    GlintException.Code.OTHER_MODEL,
                    "the saved session is of another model; start again from the history",
                )
            }
            val floats = bytes.getInt()
            if (floats != state || saved.size.toLong() != HEAD + 4 * (floats + count + 1)) {
                throw broken("its sizes are not those of this model")
            }
            val session = SavedSession(
                digest,
                FloatArray(floats) { bytes.getFloat() },
                List(count.toInt()) { bytes.getInt() },
            )
            session.ids.firstOrNull { it !in 1..items }?.let { throw broken("item $it is not in the catalogue") }
            if (!session.state.all { it.isFinite() }) throw broken("its state is not made of numbers")
            return session
        }

        private fun broken(reason: String) =
            damaged("the saved session is damaged ($reason); start again from the history")

        private fun crc32(bytes: ByteArray, size: Int): Int =
            CRC32().apply { update(bytes, 0, size) }.value.toInt()
    }
}
