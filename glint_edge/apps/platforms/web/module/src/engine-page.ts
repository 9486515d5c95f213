import wasm from './glint-edge/glint.wasm?url';

import { run } from './demo/app';
import { engine } from './glint-edge/engine';
import { ofRuntime } from './pages';

// Of a size that no bar need show.
void run(engine(wasm), { ...ofRuntime('c'), files: [] });
