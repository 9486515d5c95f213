package app.glintedge

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith

/** On the device itself: the runtime computes what was exported. */
@RunWith(AndroidJUnit4::class)
class GoldenTest {

    private val context = InstrumentationRegistry.getInstrumentation().targetContext

    @Test
    fun goldenVectorsHold() = Recommender.load(context).use { recommender ->
        assertEquals(emptyList<String>(), replayGolden(recommender))
    }

    @Test
    fun aSavedSessionGoesOn() = Recommender.load(context).use { recommender ->
        val keys = recommender.items.take(3).map { it.first }
        val session = recommender.start(keys)
        val resumed = recommender.resume(session.save())
        assertEquals(keys, resumed.history)
        assertEquals(session.top(recommender.topK), resumed.top(recommender.topK))
    }
}
