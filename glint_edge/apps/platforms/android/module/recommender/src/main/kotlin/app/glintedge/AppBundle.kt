package app.glintedge

import java.io.File
import java.io.IOException
import java.security.MessageDigest
import org.json.JSONException
import org.json.JSONObject

/**
 * What an app needs of a bundle's folder.
 *
 * @property digest which model this is, to the last bit; saved sessions carry it.
 * @property longest the model's N: histories up to it were trained on.
 * @property window how many of a session's last items count; null: all.
 * @property keys the user's item keys by id; `keys[0]` is "", padding.
 * @property titles by key; may be empty.
 * @property fields of each field, such as a category, the value by key; may be empty.
 * @property images address of a picture by key, http or https; may be empty.
 */
internal class AppBundle(
    val folder: File,
    val digest: String,
    val shapes: Shapes,
    val longest: Int,
    val window: Int?,
    val artifact: File,
    val keys: List<String>,
    val titles: Map<String, String>,
    val fields: Map<String, Map<String, String>>,
    val images: Map<String, String>,
) {
    companion object {
        private const val SCHEMA_VERSION = 1
        private const val LARGEST = 1 shl 28
        private val ADDRESS = Regex("^https?://", RegexOption.IGNORE_CASE)

        /**
         * Read a bundle, and hold each file that is read to its size and sha256.
         *
         * The manifest's own digest is taken as it is: an app's assets are signed with the app.
         */
        fun read(folder: File, target: String): AppBundle {
            val manifest = readManifest(folder)
            val items = ofFile(File(folder, "items.json")) { itemsOf(folder, manifest) }
            return ofFile(File(folder, "manifest.json")) {
                val artifact = artifactFor(folder, manifest, target)
                checked(folder, manifest, artifact)
                val longest = manifest.getJSONObject("model").getSize("max_length")
                AppBundle(
                    folder = folder,
                    digest = manifest.getString("digest"),
                    shapes = shapesOf(manifest),
                    longest = longest,
                    window = longest.takeIf { manifest.getString("window") == "sliding" },
                    artifact = File(folder, artifact),
                    keys = items.keys,
                    titles = items.titles,
                    fields = items.fields,
                    images = items.images,
                )
            }
        }

        private class Items(
            val keys: List<String>,
            val titles: Map<String, String>,
            val fields: Map<String, Map<String, String>>,
            val images: Map<String, String>,
        )

        private fun itemsOf(folder: File, manifest: JSONObject): Items {
            val items = JSONObject(checked(folder, manifest, "items.json").decodeToString())
            val keys = items.getJSONArray("keys")
            val fields = items.optJSONObject("fields") ?: JSONObject()
            val images = textsOf(items.optJSONObject("images"))
            if (!images.values.all { ADDRESS.containsMatchIn(it) }) throw JSONException("a picture's address")
            return Items(
                listOf("") + List(keys.length()) { keys.getString(it) },
                textsOf(items.optJSONObject("titles")),
                fields.keys().asSequence().associateWith { textsOf(fields.getJSONObject(it)) },
                images,
            )
        }

        private fun textsOf(texts: JSONObject?): Map<String, String> =
            texts?.keys()?.asSequence()?.associateWith { texts.getString(it) }.orEmpty()

        fun readManifest(folder: File): JSONObject {
            val file = File(folder, "manifest.json")
            if (!file.isFile) throw damaged("$folder is not a bundle: it has no manifest.json")
            return ofFile(file) {
                val manifest = JSONObject(file.readText())
                val version = manifest.getInt("schema_version")
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

        /** A file's bytes, once they are what the manifest says. */
        fun checked(folder: File, manifest: JSONObject, name: String): ByteArray {
            val told = manifest.getJSONObject("files").getJSONObject(name)
            val file = File(folder, name)
            if (!file.isFile) throw damaged("$file is missing; copy the whole bundle")
            val bytes = ofFile(file) { file.readBytes() }
            if (bytes.size.toLong() != told.getLong("bytes") || sha256(bytes) != told.getString("sha256")) {
                throw damaged("$file is not what its manifest says; copy the bundle again")
            }
            return bytes
        }

        private fun artifactFor(folder: File, manifest: JSONObject, target: String): String {
            val artifacts = manifest.getJSONArray("artifacts")
            val found = List(artifacts.length()) { artifacts.getJSONObject(it) }
                .firstOrNull { it.getString("target") == target }
                ?: throw GlintException(
                    GlintException.Code.ARGUMENT,
                    "$folder has no artifact for $target; export it with --target $target",
                )
            return found.getString("file")
        }

        private fun shapesOf(manifest: JSONObject): Shapes {
            val inputs = manifest.getJSONObject("methods").getJSONObject("append_many").getJSONArray("inputs")
            val items = List(inputs.length()) { inputs.getJSONObject(it) }
                .first { it.getString("name") == "items" }
            return Shapes(
                state = sizeOf(manifest.getJSONObject("state").getJSONArray("shape").getInt(1)),
                chunk = sizeOf(items.getJSONArray("shape").getInt(1)),
                topK = manifest.getSize("top_k"),
            )
        }

        private fun JSONObject.getSize(name: String): Int = sizeOf(getInt(name))

        /** At least one, and no more than memory can hold. */
        private fun sizeOf(value: Int): Int =
            if (value in 1..LARGEST) value else throw JSONException("a size is $value")

        /** What `read` gives of a file; whatever is wrong with it is a `GlintException`. */
        inline fun <T> ofFile(file: File, read: () -> T): T {
            val reason = try {
                return read()
            } catch (error: JSONException) {
                error
            } catch (error: NoSuchElementException) {
                error
            } catch (error: IOException) {
                error
            } catch (error: StackOverflowError) { // lists within lists, without end
                error
            }
            throw damaged("$file is damaged (${reasonOf(reason)}); copy the bundle again", reason)
        }

        private fun sha256(bytes: ByteArray): String =
            MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
    }
}
