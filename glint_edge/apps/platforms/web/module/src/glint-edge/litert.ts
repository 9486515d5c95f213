/** The bundle's `.tflite` on LiteRT.js, in WebAssembly on one thread. */

import {
  type CompiledModel,
  getGlobalLiteRtPromise,
  loadAndCompile,
  loadLiteRt,
  Tensor,
  type TypedArray,
} from '@litertjs/core';

import type { Engine, Runtime, Shapes, TopK } from './runtime';

/** Where the app serves two files of the npm package's folder `wasm`. */
export interface LiteRtFiles {
  /** `litert_wasm_compat_internal.js` */
  readonly script: string;
  /** `litert_wasm_compat_internal.wasm` */
  readonly wasm: string;
}

/**
 * LiteRT.js as an engine.
 *
 * The `compat` build runs in every browser with WebAssembly SIMD; at these sizes it is as fast as
 * the one that asks for relaxed SIMD.
 */
export function litert(files: LiteRtFiles): Engine {
  return {
    target: 'tflite',
    async open(artifact, shapes) {
      await (getGlobalLiteRtPromise() ?? start(files)); // one a page, and it stays
      const model = await loadAndCompile(artifact, {
        accelerator: 'wasm',
        cpuOptions: { numThreads: 1 },
      });
      return new LiteRtRuntime(model, shapes);
    },
  };
}

function start(files: LiteRtFiles): Promise<unknown> {
  // The script reads this global once, and takes the file next to itself without it; a build
  // gives both files other names.
  const options = { locateFile: () => files.wasm, print: () => {}, printErr: () => {} };
  Object.assign(globalThis, { Module: options });
  return loadLiteRt(files.script);
}

class LiteRtRuntime implements Runtime {
  /** Zeros for each row, in WebAssembly memory once for all calls without a filter. */
  private readonly noBias: Tensor;

  constructor(
    private readonly model: CompiledModel,
    private readonly shapes: Shapes,
  ) {
    this.noBias = this.biasTensor(new Float32Array(shapes.rows));
  }

  append(state: Float32Array, id: number): Promise<Float32Array> {
    return this.step('append', { state: this.stateTensor(state), item: int32([id]) });
  }

  async appendMany(state: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    const size = this.shapes.chunk;
    for (let start = 0; start < ids.length; start += size) {
      const part = ids.slice(start, start + size);
      const padded = [...part, ...new Array<number>(size - part.length).fill(0)];
      state = await this.step('append_many', {
        state: this.stateTensor(state),
        items: int32(padded, [1, size]),
        count: int32([part.length]),
      });
    }
    return state;
  }

  recommend(state: Float32Array, bias: Float32Array | null): Promise<TopK> {
    return this.list('recommend', { state: this.stateTensor(state) }, bias);
  }

  similar(id: number, bias: Float32Array | null): Promise<TopK> {
    return this.list('similar', { item: int32([id]) }, bias);
  }

  async close(): Promise<void> {
    this.noBias.delete();
    this.model.delete();
  }

  private async step(signature: string, inputs: Record<string, Tensor>): Promise<Float32Array> {
    const result = await this.run(signature, inputs);
    return result('new_state') as Float32Array;
  }

  private async list(
    signature: string,
    inputs: Record<string, Tensor>,
    bias: Float32Array | null,
  ): Promise<TopK> {
    const tensor = bias === null ? this.noBias : this.biasTensor(bias);
    const result = await this.run(signature, { ...inputs, bias: tensor });
    return { ids: Array.from(result('top_items')), scores: Array.from(result('top_scores')) };
  }

  /** Run a signature; tensors live in WebAssembly memory, which nobody else gives back. */
  private async run(
    signature: string,
    inputs: Record<string, Tensor>,
  ): Promise<(name: string) => TypedArray> {
    let outputs: Record<string, Tensor> = {};
    try {
      outputs = await this.model.run(signature, inputs);
      const copies = new Map(
        Object.entries(outputs).map(([name, tensor]) => [name, tensor.toTypedArray()]),
      );
      return (name) => {
        const copy = copies.get(name);
        if (copy === undefined) throw new Error(`${signature} has no output ${name}`);
        return copy;
      };
    } finally {
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) {
        if (tensor !== this.noBias) tensor.delete();
      }
    }
  }

  private biasTensor(bias: Float32Array): Tensor {
    return Tensor.fromTypedArray(bias, [1, this.shapes.rows]);
  }

  private stateTensor(state: Float32Array): Tensor {
    return Tensor.fromTypedArray(state, [1, this.shapes.state]);
  }
}

function int32(values: readonly number[], shape: number[] = [values.length]): Tensor {
  return Tensor.fromTypedArray(Int32Array.from(values), shape);
}
