package app.glintedge

/** Whatever goes wrong here; the message is one sentence that says what to do. */
class GlintException(val code: Code, message: String, cause: Throwable? = null) :
    RuntimeException(message, cause) {

    /** For a program that wants to tell one from another. */
    enum class Code {
        /** A file or a saved session is not what was written. */
        DAMAGED,

        /** Made by a newer version than this one. */
        UPGRADE,

        /** A session of another bundle: start again from its history. */
        OTHER_MODEL,

        /** A key that is not in the catalogue. */
        UNKNOWN_ITEM,

        /** The call cannot be carried out. */
        ARGUMENT,
    }
}

internal fun argument(message: String) = GlintException(GlintException.Code.ARGUMENT, message)

internal fun damaged(message: String, cause: Throwable? = null) =
    GlintException(GlintException.Code.DAMAGED, message, cause)

/** What an error of somebody else says, in one line. */
internal fun reasonOf(error: Throwable): String =
    error.message?.trim()?.replace(Regex("\\s+"), " ")?.takeIf { it.isNotEmpty() } ?: error.javaClass.simpleName
