/** What a browser runtime must offer; engine.ts, onnx.ts and litert.ts do. */

/** An item list, best first; ids are positions in the catalogue, from 1. */
export interface TopK {
  readonly ids: readonly number[];
  readonly scores: readonly number[];
}

/**
 * A loaded artifact: the model's four methods. It is called once at a time.
 *
 * A bias has a number for each row of the item table, its place the id, that is added to the row's
 * score; null: no filter, all zeros.
 */
export interface Runtime {
  /** One item further; the given state stays as it is. */
  append(state: Float32Array, id: number): Promise<Float32Array>;
  /** Any number of items further, in as few calls as the artifact allows. */
  appendMany(state: Float32Array, ids: readonly number[]): Promise<Float32Array>;
  /** The artifact's whole list for a state. */
  recommend(state: Float32Array, bias: Float32Array | null): Promise<TopK>;
  /** The artifact's whole list of what is like an item; the scores are cosines. */
  similar(id: number, bias: Float32Array | null): Promise<TopK>;
  /** Whether it gives the same bits on every machine. */
  readonly isExact?: boolean;
  /** Give back what the runtime holds. */
  close(): Promise<void>;
}

/** The sizes a runtime needs to know, from the manifest. */
export interface Shapes {
  /** Floats of a state. */
  readonly state: number;
  /** Items that an artifact with fixed shapes takes at once. */
  readonly chunk: number;
  /** Rows of the item table: floats of a bias. */
  readonly rows: number;
  /** Items of a list. */
  readonly topK: number;
}

/** A runtime that is not loaded yet, and which of a bundle's artifacts it runs. */
export interface Engine {
  readonly target: 'c' | 'onnx' | 'tflite';
  open(artifact: Uint8Array, shapes: Shapes): Promise<Runtime>;
}
