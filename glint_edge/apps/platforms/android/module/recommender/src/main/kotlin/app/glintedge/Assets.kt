package app.glintedge

import android.content.Context
import java.io.File
import java.io.IOException

/**
 * Load the bundle among the app's assets, with the runtime of the app's flavour.
 *
 * The runtimes map files into memory, so a copy is made at the first start and when an update of
 * the app brings another bundle: some tens of milliseconds, better not on the main thread.
 *
 * @param asset the bundle's folder in `assets/`.
 * @throws GlintException a file is missing, damaged or of a later version.
 */
fun Recommender.Companion.load(
    context: Context,
    asset: String = BuildConfig.BUNDLE,
    unknown: Unknown = Unknown.REFUSE,
): Recommender {
    val folder = try {
        unpacked(context, asset)
    } catch (error: IOException) {
        throw damaged(
            "the bundle $asset cannot be copied from the app's assets (${reasonOf(error)}); " +
                "make room on the device, or install the app again",
            error,
        )
    }
    return load(folder, unknown, RuntimeEngine)
}

@Synchronized
private fun unpacked(context: Context, asset: String): File {
    val folder = File(context.noBackupFilesDir, "glint-edge/$asset")
    val manifest = context.assets.open("$asset/manifest.json").use { it.readBytes() }
    val there = File(folder, "manifest.json")
    if (there.isFile && there.readBytes().contentEquals(manifest)) return folder
    val work = File("${folder.path}.new").apply {
        deleteRecursively()
        mkdirs()
    }
    // The manifest is copied last: a folder that has one is whole.
    for (name in context.assets.list(asset).orEmpty().sortedBy { it == "manifest.json" }) {
        context.assets.open("$asset/$name").use { from ->
            File(work, name).outputStream().use { to -> from.copyTo(to) }
        }
    }
    folder.deleteRecursively()
    if (!work.renameTo(folder)) throw damaged("$folder cannot be written; make room on the device")
    return folder
}
