import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { run } from './demo/app';
import { onnx } from './glint-edge/onnx';
import { ofRuntime } from './pages';

void run(onnx(wasm), { ...ofRuntime('onnx'), files: [{ address: wasm, bytes: 14_239_897 }] });
