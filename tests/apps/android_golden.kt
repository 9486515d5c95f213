package app.glintedge

import java.io.File

/** Replays golden.json of a bundle on the engine by the library's own calls, as the instrumented test does. */
fun main(folders: Array<String>) {
    Recommender.load(File(folders[0]), runtime = CEngines).use { recommender ->
        for (failure in replayGolden(recommender)) println("differs: $failure")
        val keys = recommender.items.take(3).map { it.first }
        val session = recommender.start(keys)
        val resumed = recommender.resume(session.save())
        for (key in keys) listOf(session, resumed).forEach { it.append(key) }
        if (session.top(recommender.topK) != resumed.top(recommender.topK)) println("differs: a saved session")
        // More than one list holds, and from several threads.
        val all = recommender.items.size
        val lists = (1..4).map { number ->
            var list = emptyList<Recommendation>()
            Thread { list = recommender.recommend(keys, all, excludeSeen = false) }.apply { start() } to { list }
        }
        for ((thread, list) in lists) {
            thread.join()
            if (list() != lists[0].second() || list().size != all) println("differs: a list of all items")
        }
        println("${Golden.read(recommender.bundle).cases.count { it.exact != null }} exact cases")
    }
}
