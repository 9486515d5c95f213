/** The bundle's `.glnt` on the engine: plain C as WebAssembly, of some tens of kilobytes. */

import type { Engine, Runtime, Shapes, TopK } from './runtime';

/** What `glint.wasm` exports; a number is an address in its memory, or a size. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
  glint_model_bytes(): number;
  glint_open(model: number, file: number, bytes: number): number;
  glint_state_floats(model: number): number;
  glint_workspace_bytes(model: number): number;
  glint_append(model: number, workspace: number, state: number, item: number): void;
  glint_append_many(model: number, workspace: number, state: number, items: number, count: number): void;
  glint_recommend(
    model: number, workspace: number, state: number, bias: number, k: number, items: number,
    scores: number,
  ): number;
  glint_similar(
    model: number, workspace: number, item: number, bias: number, k: number, items: number,
    scores: number,
  ): number;
}

const PAGE = 65536;
const ALIGNMENT = 64;
/** No bias: C's null pointer. */
const NONE = 0;

/**
 * The engine as an engine.
 *
 * @param wasm where the app serves `glint.wasm`, or its bytes.
 */
export function engine(wasm: string | URL | BufferSource): Engine {
  let compiled: Promise<WebAssembly.Module> | undefined;
  return {
    target: 'c',
    async open(artifact, shapes) {
      const module = await (compiled ??= compile(wasm).catch((error: unknown) => {
        compiled = undefined; // the next load asks again
        throw error;
      }));
      const { exports } = await WebAssembly.instantiate(module);
      return new EngineRuntime(exports as unknown as Exports, artifact, shapes);
    },
  };
}

/** Not by streaming: that wants a server that names the type of a `.wasm`, and saves nothing here. */
async function compile(wasm: string | URL | BufferSource): Promise<WebAssembly.Module> {
  if (typeof wasm !== 'string' && !(wasm instanceof URL)) return WebAssembly.compile(wasm);
  const response = await fetch(wasm);
  if (!response.ok) throw new Error(`${wasm} cannot be fetched (${response.status})`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** A model in a memory of its own, which is gone with it. */
class EngineRuntime implements Runtime {
  readonly isExact = true;
  private end: number;
  private readonly model: number;
  private readonly workspace: number;
  private readonly state: number;
  private readonly bias: number;
  private readonly items: number;
  private readonly scores: number;
  private history: number;
  private most = 64;

  constructor(
    private readonly c: Exports,
    artifact: Uint8Array,
    private readonly shapes: Shapes,
  ) {
    this.end = c.__heap_base.value as number;
    this.model = this.reserve(c.glint_model_bytes());
    const file = this.reserve(artifact.length);
    new Uint8Array(c.memory.buffer).set(artifact, file);
    const error = c.glint_open(this.model, file, artifact.length);
    if (error !== 0) throw new Error(`it is no model of this engine, error ${error}`);
    if (c.glint_state_floats(this.model) !== shapes.state) throw new Error('it is of another model');
    this.workspace = this.reserve(c.glint_workspace_bytes(this.model));
    this.state = this.reserve(4 * shapes.state);
    this.bias = this.reserve(4 * shapes.rows);
    this.items = this.reserve(4 * shapes.topK);
    this.scores = this.reserve(4 * shapes.topK);
    this.history = this.reserve(4 * this.most);
  }

  async append(state: Float32Array, id: number): Promise<Float32Array> {
    this.floats(this.state, this.shapes.state).set(state);
    this.c.glint_append(this.model, this.workspace, this.state, id);
    return this.floats(this.state, this.shapes.state).slice();
  }

  async appendMany(state: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    if (ids.length > this.most) {
      this.most = 2 * ids.length;
      this.history = this.reserve(4 * this.most); // what it had is too small for anybody else
    }
    new Int32Array(this.c.memory.buffer, this.history, ids.length).set(ids);
    this.floats(this.state, this.shapes.state).set(state);
    this.c.glint_append_many(this.model, this.workspace, this.state, this.history, ids.length);
    return this.floats(this.state, this.shapes.state).slice();
  }

  async recommend(state: Float32Array, bias: Float32Array | null): Promise<TopK> {
    const { c, model, workspace, shapes, items, scores } = this;
    this.floats(this.state, shapes.state).set(state);
    const added = this.added(bias);
    return this.list(c.glint_recommend(model, workspace, this.state, added, shapes.topK, items, scores));
  }

  async similar(id: number, bias: Float32Array | null): Promise<TopK> {
    const { c, model, workspace, shapes, items, scores } = this;
    const added = this.added(bias);
    return this.list(c.glint_similar(model, workspace, id, added, shapes.topK, items, scores));
  }

  async close(): Promise<void> {}

  private added(bias: Float32Array | null): number {
    if (bias === null) return NONE;
    this.floats(this.bias, this.shapes.rows).set(bias);
    return this.bias;
  }

  private list(count: number): TopK {
    return {
      ids: Array.from(new Int32Array(this.c.memory.buffer, this.items, count)),
      scores: Array.from(this.floats(this.scores, count)),
    };
  }

  /** Of the memory as it is now: growing makes a new buffer of it. */
  private floats(address: number, count: number): Float32Array {
    return new Float32Array(this.c.memory.buffer, address, count);
  }

  /** Memory that is never given back: the next that is free. */
  private reserve(bytes: number): number {
    const address = Math.ceil(this.end / ALIGNMENT) * ALIGNMENT;
    this.end = address + bytes;
    const lacking = this.end - this.c.memory.buffer.byteLength;
    if (lacking > 0) this.c.memory.grow(Math.ceil(lacking / PAGE));
    return address;
  }
}
