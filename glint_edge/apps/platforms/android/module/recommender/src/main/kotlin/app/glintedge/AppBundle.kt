package app.glintedge

import java.io.File
import java.security.MessageDigest
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * What an app needs of a bundle's folder.
 *
 * @property digest which model this is, to the last bit; saved sessions carry it.
 * @property longest the model's N: histories up to it were trained on.
 * @property window how many of a session's last items count; null: all.
 * @property mostHeld how many items a state holds at most, where there is a window.
 * @property keys the user's item keys by id; `keys[0]` is "", padding.
 * @property titles by key; may be empty.
 * @property fields of each field, such as a category, the value by key; may be empty.
 * @property images address of a picture by key, http or https; may be empty.
 * @property repeats share of the log's targets that repeat an item of their user's; null: not known.
 * @property neighbours null: the model is alone.
 */
internal class AppBundle(
    val folder: File,
    val digest: String,
    val shapes: Shapes,
    val longest: Int,
    val window: Int?,
    val mostHeld: Int,
    val artifact: File,
    val keys: List<String>,
    val titles: Map<String, String>,
    val fields: Map<String, Map<String, String>>,
    val images: Map<String, String>,
    val repeats: Double?,
    val neighbours: Neighbours? = null,
) {
    /** How many of a session's last items are saved as they are; null: all. */
    val kept: Int? get() = window?.let { maxOf(it, neighbours?.last ?: 0) }

    companion object {
        private const val SCHEMA_VERSION = 2
        private const val WITHOUT_FILTERS = 1L
        private const val MOST_ITEMS = 100_000_000L
        private const val MOST_STEPS = 1_000_000L
        private const val MOST_BYTES = 1_000_000_000_000L
        private const val LONGEST_KEY = 999_999_999_999_999_999L // a number that every platform reads
        private val SIZES = 1L..(1L shl 28) // that memory can hold
        private val PADDING = Regex("masked|reference")
        private val SHA256 = Regex("[0-9a-f]{64}")

        /** A file of the bundle's own folder. */
        private val FILE = Regex("[A-Za-z0-9][A-Za-z0-9._-]{0,98}")
        private val ADDRESS = Regex("https?://\\S+", RegexOption.IGNORE_CASE)

        /**
         * Read a bundle, and hold each file that is read to its size and sha256.
         *
         * The manifest's own digest is taken as it is: an app's assets are signed with the app.
         */
        fun read(folder: File, target: String): AppBundle {
            val manifest = readManifest(folder)
            return ofFile(File(folder, "manifest.json")) {
                requireListed(manifest.getJSONObject("files"))
                val artifact = artifactFor(folder, manifest, target)
                checked(folder, manifest, artifact)
                val model = manifest.getJSONObject("model")
                val count = model.whole("items", 1..MOST_ITEMS)
                val longest = model.whole("max_length", 1..MOST_STEPS).toInt()
                val items = ofFile(File(folder, "items.json")) { itemsOf(folder, manifest, count) }
                AppBundle(
                    folder = folder,
                    digest = manifest.match("digest", SHA256),
                    shapes = shapesOf(manifest, count),
                    longest = longest,
                    window = longest.takeIf { manifest.match("window", Regex("sliding|unbounded")) == "sliding" },
                    mostHeld = mostHeldOf(model, longest),
                    artifact = File(folder, artifact),
                    keys = items.keys,
                    titles = items.titles,
                    fields = items.fields,
                    images = items.images,
                    repeats = repeatsOf(manifest.objectIfAny("data")),
                    neighbours = neighboursOf(folder, manifest, count.toInt()),
                )
            }
        }

        /** An imported model promises its authors' scores of its last N items: no more are held. */
        private fun mostHeldOf(model: JSONObject, longest: Int): Int {
            val padding = if (model.has("padding")) model.match("padding", PADDING) else "masked"
            return if (padding == "masked") longest + longest / 4 else longest
        }

        private fun repeatsOf(data: JSONObject): Double? {
            if (data.isNull("repeats")) return null // or not there
            return data.number("repeats").takeIf { it in 0.0..1.0 } ?: throw JSONException("repeats is no share")
        }

        private class Items(
            val keys: List<String>,
            val titles: Map<String, String>,
            val fields: Map<String, Map<String, String>>,
            val images: Map<String, String>,
        )

        private fun itemsOf(folder: File, manifest: JSONObject, count: Long): Items {
            val items = parseObject(checked(folder, manifest, "items.json"))
            val keys = items.getJSONArray("keys").values().map(::keyOf)
            if (keys.size.toLong() != count) throw JSONException("it lists ${keys.size} items, the model has $count")
            if (keys.toSet().size != keys.size) throw JSONException("a key stands there twice")
            val fields = items.objectIfAny("fields")
            val images = textsOf(items.objectIfAny("images"))
            if (!images.values.all(ADDRESS::matches)) throw JSONException("a picture's address")
            return Items(
                listOf("") + keys,
                textsOf(items.objectIfAny("titles")),
                fields.keys().asSequence().associate { textOf(it) to textsOf(fields.getJSONObject(it)) },
                images,
            )
        }

        private fun neighboursOf(folder: File, manifest: JSONObject, items: Int): Neighbours? {
            if (!manifest.getJSONObject("files").has(Neighbours.FILE)) return null
            val bytes = checked(folder, manifest, Neighbours.FILE)
            return ofFile(File(folder, Neighbours.FILE)) { Neighbours.of(bytes, items) }
        }

        private fun textsOf(texts: JSONObject): Map<String, String> =
            texts.keys().asSequence().associate { textOf(it) to texts.text(it) }

        private fun keyOf(value: Any): String {
            if (value !is String) return wholeOf(value, -LONGEST_KEY..LONGEST_KEY).toString()
            return textOf(value).ifEmpty { throw JSONException("a key is empty") }
        }

        fun readManifest(folder: File): JSONObject {
            val file = File(folder, "manifest.json")
            if (!file.isFile) throw damaged("$folder is not a bundle: it has no manifest.json")
            return ofFile(file) {
                val manifest = parseObject(file.readBytes())
                val version = manifest.whole("schema_version", 1..Long.MAX_VALUE)
                if (version == WITHOUT_FILTERS) {
                    throw damaged("$folder was exported by an earlier glint-edge, without filters; export it again")
                }
                if (version > SCHEMA_VERSION) {
                    throw GlintException(
                        GlintException.Code.UPGRADE,
                        "$folder has schema version $version, this app reads $SCHEMA_VERSION; " +
                            "upgrade the app",
                    )
                }
                manifest
            }
        }

        private fun requireListed(files: JSONObject) {
            for (name in files.keys()) {
                if (!FILE.matches(name)) throw JSONException("a name is none of a file in its folder")
                files.getJSONObject(name).whole("bytes", 0..MOST_BYTES)
                files.getJSONObject(name).match("sha256", SHA256)
            }
        }

        /** A file's bytes, once they are what the manifest says. */
        fun checked(folder: File, manifest: JSONObject, name: String): ByteArray {
            val entry = manifest.getJSONObject("files").getJSONObject(name)
            val file = File(folder, name)
            if (!file.isFile) throw damaged("$file is missing; copy the whole bundle")
            val bytes = ofFile(file) { file.readBytes() }
            if (bytes.size.toLong() != entry.getLong("bytes") || sha256(bytes) != entry.getString("sha256")) {
                throw damaged("$file is not what its manifest says; copy the bundle again")
            }
            return bytes
        }

        private fun artifactFor(folder: File, manifest: JSONObject, target: String): String {
            val artifacts = manifest.getJSONArray("artifacts").objects()
                .map { it.text("target") to it.match("file", FILE) }
            return artifacts.firstOrNull { it.first == target }?.second ?: throw GlintException(
                GlintException.Code.ARGUMENT,
                "$folder has no artifact for $target; export it with --target $target",
            )
        }

        private fun shapesOf(manifest: JSONObject, items: Long): Shapes {
            val rows = inputOf(manifest, "recommend", "bias")
            if (rows < items + 2) throw JSONException("its table has fewer rows than items")
            return Shapes(
                state = lastOf(manifest.getJSONObject("state").getJSONArray("shape")),
                chunk = inputOf(manifest, "append_many", "items"),
                topK = manifest.whole("top_k", 1..minOf(items, MOST_STEPS)).toInt(),
                rows = rows,
            )
        }

        /** The size of what a method takes by this name. */
        private fun inputOf(manifest: JSONObject, method: String, name: String): Int {
            val inputs = manifest.getJSONObject("methods").getJSONObject(method).getJSONArray("inputs")
            val shapes = inputs.objects().associate { it.text("name") to it.getJSONArray("shape") }
            return lastOf(shapes[name] ?: throw JSONException("$method takes no $name"))
        }

        /** The second of a shape's two sizes. */
        private fun lastOf(shape: JSONArray): Int {
            if (shape.length() != 2) throw JSONException("a shape has not two sizes")
            return shape.values().map { wholeOf(it, SIZES) }.last().toInt()
        }

        /** What `read` gives of a file; whatever is wrong with it is a `GlintException`. */
        inline fun <T> ofFile(file: File, read: () -> T): T {
            val reason = try {
                return read()
            } catch (error: GlintException) {
                throw error
            } catch (error: Exception) { // the parser's, of numbers and escapes, have no other base
                error
            } catch (error: StackOverflowError) { // lists within lists, where quotes hide them
                error
            }
            throw damaged("$file is damaged (${reasonOf(reason)}); copy the bundle again", reason)
        }

        private fun sha256(bytes: ByteArray): String =
            MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
    }
}
