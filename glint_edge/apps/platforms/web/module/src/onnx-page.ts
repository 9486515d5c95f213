import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { PAGES } from './config';
import { run } from './demo/app';
import { onnx } from './glint-edge/onnx';

void run(onnx(wasm), {
  name: 'onnxruntime-web',
  files: [{ address: wasm, bytes: 14_239_897 }],
  other: { name: 'LiteRT.js', page: PAGES.tflite },
});
