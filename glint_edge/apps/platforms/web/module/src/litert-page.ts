import script from '@litertjs/core/wasm/litert_wasm_compat_internal.js?url';
import wasm from '@litertjs/core/wasm/litert_wasm_compat_internal.wasm?url';

import { run } from './demo/app';
import { litert } from './glint-edge/litert';
import { ofRuntime } from './pages';

void run(litert({ script, wasm }), {
  ...ofRuntime('tflite'),
  files: [{ address: wasm, bytes: 9_334_181 }],
});
