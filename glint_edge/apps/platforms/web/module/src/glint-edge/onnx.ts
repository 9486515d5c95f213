/** The bundle's `.onnx` on onnxruntime-web, in WebAssembly on one thread. */

import * as ort from 'onnxruntime-web/wasm';

import type { Engine, Runtime, Shapes, TopK } from './runtime';

/** All methods are in one graph; its input `method` chooses. */
const APPEND = 0;
const APPEND_MANY = 1;
const RECOMMEND = 2;
const SIMILAR = 3;

/**
 * onnxruntime-web as an engine.
 *
 * @param wasm where the app serves `ort-wasm-simd-threaded.wasm` of the npm package.
 */
export function onnx(wasm: string): Engine {
  return {
    target: 'onnx',
    async open(artifact, shapes) {
      // More threads need cross-origin isolation, and these products are too small for them.
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmPaths = { wasm };
      const session = await ort.InferenceSession.create(artifact, {
        executionProviders: ['wasm'],
        logSeverityLevel: 3, // errors alone
      });
      return new OnnxRuntime(session, shapes);
    },
  };
}

class OnnxRuntime implements Runtime {
  /** For each row the same: this target alone takes one number in place of all. */
  private readonly noBias = new ort.Tensor('float32', new Float32Array(1), [1, 1]);
  private readonly noState: Float32Array;

  constructor(
    private readonly session: ort.InferenceSession,
    private readonly shapes: Shapes,
  ) {
    this.noState = new Float32Array(shapes.state);
  }

  append(state: Float32Array, id: number): Promise<Float32Array> {
    return this.step(APPEND, state, [id]);
  }

  async appendMany(state: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    return ids.length === 0 ? state : this.step(APPEND_MANY, state, ids); // any length in one call
  }

  recommend(state: Float32Array, bias: Float32Array | null): Promise<TopK> {
    return this.list(RECOMMEND, state, 0, bias);
  }

  similar(id: number, bias: Float32Array | null): Promise<TopK> {
    return this.list(SIMILAR, this.noState, id, bias);
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  private async step(
    method: number,
    state: Float32Array,
    ids: readonly number[],
  ): Promise<Float32Array> {
    const result = await this.session.run(this.feed(method, state, ids), ['new_state']);
    return output(result, 'new_state').data as Float32Array;
  }

  private async list(
    method: number,
    state: Float32Array,
    id: number,
    bias: Float32Array | null,
  ): Promise<TopK> {
    const feed = this.feed(method, state, [id], bias);
    const result = await this.session.run(feed, ['top_items', 'top_scores']);
    return {
      ids: Array.from(output(result, 'top_items').data as BigInt64Array, Number),
      scores: Array.from(output(result, 'top_scores').data as Float32Array),
    };
  }

  /** All five inputs are always given; a method ignores what it does not use. */
  private feed(
    method: number,
    state: Float32Array,
    ids: readonly number[],
    bias: Float32Array | null = null,
  ) {
    return {
      method: int64([method], [1]),
      state: new ort.Tensor('float32', state, [1, this.shapes.state]),
      items: int64(ids, [1, ids.length]),
      count: int64([ids.length], [1]),
      bias: bias === null ? this.noBias : new ort.Tensor('float32', bias, [1, bias.length]),
    };
  }
}

function int64(values: readonly number[], shape: number[]): ort.Tensor {
  return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape);
}

function output(result: ort.InferenceSession.OnnxValueMapType, name: string): ort.Tensor {
  const tensor = result[name];
  if (tensor === undefined) throw new Error(`the model has no output ${name}`);
  return tensor;
}
