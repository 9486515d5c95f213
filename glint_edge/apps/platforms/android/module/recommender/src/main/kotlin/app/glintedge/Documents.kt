package app.glintedge

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

// JSON that somebody else may have written: held to bounds, and to the types that are read of it.
// Android's own getters take "10" and 10.5 for 10, and 10 for "10".

private const val MOST_DEEP = 32 // lists and objects in one another: more would overflow the stack

/** The object that a file's bytes are. */
internal fun parseObject(bytes: ByteArray): JSONObject {
    val text = bytes.decodeToString(throwOnInvalidSequence = true)
    requireShallow(text)
    return JSONObject(text)
}

private fun requireShallow(text: String) {
    var depth = 0
    var quoted = false
    var escaped = false
    for (letter in text) {
        when {
            escaped -> escaped = false
            quoted && letter == '\\' -> escaped = true
            letter == '"' -> quoted = !quoted
            !quoted && letter in "[{" -> if (++depth >= MOST_DEEP) throw JSONException("it is nested too deep")
            !quoted && letter in "]}" -> depth--
        }
    }
}

internal fun JSONObject.text(name: String): String = textOf(get(name))

internal fun JSONObject.match(name: String, pattern: Regex): String =
    text(name).takeIf(pattern::matches) ?: throw JSONException("$name has another form")

internal fun JSONObject.whole(name: String, range: LongRange): Long = wholeOf(get(name), range)

internal fun JSONObject.number(name: String): Double = numberOf(get(name))

/** An empty one where there is none by this name. */
internal fun JSONObject.objectIfAny(name: String): JSONObject =
    if (has(name)) getJSONObject(name) else JSONObject()

internal fun JSONArray.values(): List<Any> = List(length()) { get(it) }

internal fun JSONArray.objects(): List<JSONObject> = List(length()) { getJSONObject(it) }

internal fun textOf(value: Any): String {
    if (value !is String) throw JSONException("a text is needed")
    value.encodeToByteArray(throwOnInvalidSequence = true) // half of a character is none
    return value
}

internal fun wholeOf(value: Any, range: LongRange): Long {
    val number = when (value) {
        is Int -> value.toLong()
        is Long -> value
        else -> throw JSONException("a whole number is needed")
    }
    return if (number in range) number else throw JSONException("$number is not from ${range.first} to ${range.last}")
}

internal fun truthOf(value: Any): Boolean =
    value as? Boolean ?: throw JSONException("true or false is needed")

internal fun numberOf(value: Any): Double =
    (value as? Number)?.toDouble()?.takeIf { it.isFinite() } ?: throw JSONException("a number is needed")
