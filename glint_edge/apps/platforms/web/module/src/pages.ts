/** The runtimes, and the pages of those whose artifacts are here. */

import { PAGES } from './config';

const NAMES = { c: 'the engine', onnx: 'onnxruntime-web', tflite: 'LiteRT.js' } as const;

/** What the view says of a runtime, and of the same page on others. */
export function ofRuntime(target: keyof typeof NAMES) {
  const others = Object.entries(NAMES).flatMap(([other, name]) => {
    const page = PAGES[other];
    return other === target || page === undefined ? [] : [{ name, page }];
  });
  return { name: NAMES[target], others };
}
