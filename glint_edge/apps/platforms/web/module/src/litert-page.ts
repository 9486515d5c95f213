import script from '@litertjs/core/wasm/litert_wasm_compat_internal.js?url';
import wasm from '@litertjs/core/wasm/litert_wasm_compat_internal.wasm?url';

import { PAGES } from './config';
import { run } from './demo/app';
import { litert } from './glint-edge/litert';

void run(litert({ script, wasm }), {
  name: 'LiteRT.js',
  files: [{ address: wasm, bytes: 9_334_181 }],
  other: { name: 'onnxruntime-web', page: PAGES.onnx },
});
