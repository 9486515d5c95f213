package app.glintedge.sample

import androidx.activity.compose.BackHandler
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.asPaddingValues
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawing
import androidx.compose.foundation.lazy.LazyRow
import androidx.compose.foundation.lazy.grid.GridCells
import androidx.compose.foundation.lazy.grid.GridItemSpan
import androidx.compose.foundation.lazy.grid.LazyVerticalGrid
import androidx.compose.foundation.lazy.grid.items
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.lazy.itemsIndexed
import androidx.compose.material3.FilterChip
import androidx.compose.material3.InputChip
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import app.glintedge.Recommender

private const val SHOWN = 24
private const val MATCHES = 5
private const val MOST_FIELDS = 4
private const val MOST_VALUES = 500

/** A person's history, and the list after it: tap what you like, filter it, ask for more like one. */
@Composable
internal fun RecommendationsScreen(recommender: Recommender) {
    val titles = remember { recommender.items.toMap() }
    var session by remember { mutableStateOf(recommender.start()) }
    var history by remember { mutableStateOf(emptyList<String>()) }
    var hidden by remember { mutableStateOf(recommender.excludesSeen) }
    var where by remember { mutableStateOf(emptyMap<String, List<String>>()) }
    var like by remember { mutableStateOf<String?>(null) }

    fun take(key: String) {
        session.append(key)
        history = session.history
        like = null
    }

    fun remove(place: Int) {
        session = recommender.start(history.filterIndexed { other, _ -> other != place })
        history = session.history
    }

    // Tens of microseconds: less than a change of threads.
    val (list, took) = remember(history, hidden, where, like) {
        val start = System.nanoTime()
        val seen = if (hidden) history else emptyList()
        val list = like?.let { recommender.similar(it, SHOWN, without = seen, where = where) }
            ?: session.top(SHOWN, excludeSeen = hidden, without = history.takeLast(1), where = where)
        list to (System.nanoTime() - start) / 1000
    }
    BackHandler(like != null) { like = null }
    LazyVerticalGrid(
        GridCells.Adaptive(160.dp),
        contentPadding = WindowInsets.safeDrawing.asPaddingValues(),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalArrangement = Arrangement.spacedBy(12.dp),
        modifier = Modifier.padding(horizontal = 16.dp),
    ) {
        item(span = { GridItemSpan(maxLineSpan) }) {
            Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
                Search(recommender, ::take)
                History(history.map { titles[it] ?: it }, ::remove)
                Filters(recommender, where) { where = it }
                Choice("Hide what I have seen", hidden) { hidden = it }
                Heading(
                    like?.let { "More like ${titles[it] ?: it}" } ?: if (history.isEmpty()) "Most popular" else "For you",
                    if (list.isEmpty()) "Nothing is left under these filters." else "computed on this device in $took µs",
                )
                if (like != null) TextButton({ like = null }) { Text("Back to my list") }
            }
        }
        items(list, key = { it.key }) { one ->
            val because = one.because?.let { titles[it] ?: it }
            RecommendationCard(one, because, onTake = { take(one.key) }, onLike = { like = one.key })
        }
    }
}

@Composable
private fun Search(recommender: Recommender, onTake: (String) -> Unit) {
    var search by remember { mutableStateOf("") }
    val matches = remember(search) {
        val words = search.split(' ').filter(String::isNotEmpty)
        if (words.isEmpty()) emptyList()
        else recommender.items.filter { (key, title) ->
            words.all { "${title.orEmpty()} $key".contains(it, ignoreCase = true) }
        }.take(MATCHES)
    }
    OutlinedTextField(
        search, { search = it }, Modifier.fillMaxWidth(),
        label = { Text("Add something you liked") }, singleLine = true,
    )
    for ((key, title) in matches) {
        TextButton({ onTake(key); search = "" }) { Text(title ?: key) }
    }
}

/** The newest first; a tap takes an item out. */
@Composable
private fun History(titles: List<String>, onRemove: (Int) -> Unit) {
    if (titles.isEmpty()) Text("Nothing yet: search above, or tap a recommendation.")
    LazyRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        itemsIndexed(titles.asReversed()) { place, title ->
            InputChip(true, { onRemove(titles.lastIndex - place) }, label = { Text("$title  ×") })
        }
    }
}

/** How many values group so many items: of numbers, such as prices, fewer. */
private fun mostValues(values: List<String>, items: Int): Int {
    val numbers = values.count { value ->
        val begins = value.firstOrNull(Char::isLetterOrDigit)?.isDigit() == true
        begins && value.count(Char::isDigit) >= value.count(Char::isLetter)
    }
    return minOf(MOST_VALUES, if (2 * numbers > values.size) items / 5 else items * 2 / 3)
}

/** Of each field that groups items, its values, any number of which may be chosen. */
@Composable
private fun Filters(
    recommender: Recommender,
    where: Map<String, List<String>>,
    onChange: (Map<String, List<String>>) -> Unit,
) {
    val fields = remember {
        val items = recommender.items.size
        val grouping = recommender.fields.filterValues { it.size in 2..mostValues(it, items) }
        grouping.entries.take(MOST_FIELDS)
    }
    for ((name, values) in fields) {
        val chosen = where[name].orEmpty()
        LazyRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            items(values) { value ->
                FilterChip(
                    value in chosen,
                    {
                        val next = if (value in chosen) chosen - value else chosen + value
                        onChange(if (next.isEmpty()) where - name else where + (name to next))
                    },
                    label = { Text(value) },
                )
            }
        }
    }
}

@Composable
private fun Choice(text: String, isOn: Boolean, onChange: (Boolean) -> Unit) {
    Row(Modifier.fillMaxWidth(), Arrangement.SpaceBetween, Alignment.CenterVertically) {
        Text(text)
        Switch(isOn, onChange)
    }
}

@Composable
private fun Heading(text: String, below: String) {
    Column(Modifier.padding(top = 8.dp)) {
        Text(text, style = MaterialTheme.typography.titleLarge)
        Text(below, style = MaterialTheme.typography.bodySmall)
    }
}
