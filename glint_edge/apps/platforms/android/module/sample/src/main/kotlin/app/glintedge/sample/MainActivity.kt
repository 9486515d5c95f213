package app.glintedge.sample

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.ListItem
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.unit.dp
import app.glintedge.GlintException
import app.glintedge.Recommendation
import app.glintedge.Recommender
import app.glintedge.Session
import app.glintedge.load
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** Search titles, tap items, see the ten best change at each tap, with the time that took. */
class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContent { MaterialTheme { App() } }
    }
}

@Composable
private fun App() {
    val context = LocalContext.current
    var recommender by remember { mutableStateOf<Recommender?>(null) }
    var status by remember { mutableStateOf("Loading …") }
    LaunchedEffect(Unit) {
        try {
            recommender = withContext(Dispatchers.IO) { Recommender.load(context) }
        } catch (error: GlintException) {
            status = error.message.orEmpty()
        }
    }
    recommender?.let { Recommendations(it) } ?: Text(status, Modifier.padding(24.dp))
}

@Composable
private fun Recommendations(recommender: Recommender) {
    val session: Session = remember { recommender.start() }
    var best by remember { mutableStateOf(session.best(recommender)) }
    var took by remember { mutableStateOf<Long?>(null) }
    var search by remember { mutableStateOf("") }

    // A tap takes tens of microseconds: less than a change of threads.
    fun tap(key: String) {
        val start = System.nanoTime()
        session.append(key)
        best = session.best(recommender)
        took = (System.nanoTime() - start) / 1000
        search = ""
    }

    val found = remember(search) {
        if (search.isBlank()) emptyList()
        else recommender.items.filter { (key, title) -> (title ?: key).contains(search, ignoreCase = true) }.take(5)
    }
    LazyColumn(Modifier.safeDrawingPadding().padding(16.dp)) {
        item {
            OutlinedTextField(search, { search = it }, Modifier.fillMaxWidth(), label = { Text("Search titles") })
        }
        items(found) { (key, title) -> Row(title ?: key, "add to the history") { tap(key) } }
        item {
            Column(Modifier.padding(vertical = 16.dp)) {
                Text("${session.history.size} items so far; tap what you like", style = MaterialTheme.typography.titleMedium)
                took?.let { Text("computed on this device in $it µs") }
            }
        }
        items(best) { one ->
            val told = one.fields.values + "score %.2f".format(one.score)
            Row(one.title ?: one.key, told.joinToString(" · ")) { tap(one.key) }
        }
    }
}

private fun Session.best(recommender: Recommender): List<Recommendation> =
    top(recommender.topK, excludeSeen = true).take(10)

@Composable
private fun Row(title: String, below: String, onTap: () -> Unit) {
    ListItem({ Text(title) }, Modifier.clickable(onClick = onTap), supportingContent = { Text(below) })
}
