package app.glintedge.sample

import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.ElevatedCard
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import app.glintedge.Recommendation

/**
 * An item: what it is, what else is known of it, and "more like this".
 *
 * @param because the title of the history's item whose neighbour it is; null: it is none's.
 */
@Composable
internal fun RecommendationCard(one: Recommendation, because: String?, onTake: () -> Unit, onLike: () -> Unit) {
    ElevatedCard(onTake, Modifier.fillMaxWidth()) {
        Cover(one.key, one.title ?: one.key)
        Column(Modifier.padding(start = 12.dp, top = 8.dp, end = 12.dp)) {
            Text(
                one.title ?: one.key, style = MaterialTheme.typography.titleSmall,
                minLines = 2, maxLines = 2, overflow = TextOverflow.Ellipsis,
            )
            Text(
                one.fields.values.joinToString(" · "), style = MaterialTheme.typography.bodySmall,
                maxLines = 1, overflow = TextOverflow.Ellipsis,
            )
            if (because != null) {
                Text(
                    "because you tapped $because", style = MaterialTheme.typography.bodySmall,
                    maxLines = 2, overflow = TextOverflow.Ellipsis,
                )
            }
        }
        TextButton(onLike) { Text("More like this") }
    }
}

/**
 * A cover of a colour by its key and its title's initials, the same for the same item.
 *
 * This app has no permission to use the network. In one that has, an image library shows
 * `Recommendation.image` here, and this until it is there.
 */
@Composable
private fun Cover(key: String, title: String) {
    val hue = Math.floorMod(key.hashCode() * 31, 360).toFloat()
    Box(
        Modifier.fillMaxWidth().aspectRatio(4f / 3f).background(Color.hsl(hue, 0.35f, 0.8f)).clearAndSetSemantics {},
        Alignment.Center,
    ) {
        Text(initials(title), color = Color.hsl(hue, 0.5f, 0.25f), style = MaterialTheme.typography.headlineMedium)
    }
}

/** Of the first two words, those before numbers: "SW" of "Star Wars (1977)", "7" of "7". */
private fun initials(title: String): String {
    val words = Regex("[\\p{L}\\p{N}]+").findAll(title).map { it.value }.toList()
    val named = words.filter { it.first().isLetter() }.ifEmpty { words }
    return named.take(2).joinToString("") { it.take(1).uppercase() }
}
