package app.glintedge.sample

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
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
import app.glintedge.Recommender
import app.glintedge.load
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** Loads the bundle among the assets, and shows what it recommends. */
class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContent {
            MaterialTheme(if (isSystemInDarkTheme()) darkColorScheme() else lightColorScheme()) {
                Surface(Modifier.fillMaxSize()) { App() }
            }
        }
    }
}

@Composable
private fun App() {
    val context = LocalContext.current
    var recommender by remember { mutableStateOf<Recommender?>(null) }
    var failure by remember { mutableStateOf<String?>(null) }
    LaunchedEffect(Unit) {
        try {
            recommender = withContext(Dispatchers.IO) { Recommender.load(context) }
        } catch (error: GlintException) {
            failure = error.message
        }
    }
    recommender?.let { RecommendationsScreen(it) } ?: Loading(failure)
}

@Composable
private fun Loading(failure: String?) {
    Column(Modifier.safeDrawingPadding().padding(24.dp)) {
        Text(failure ?: "Loading the model …")
        if (failure == null) LinearProgressIndicator(Modifier.fillMaxWidth().padding(top = 12.dp))
    }
}
