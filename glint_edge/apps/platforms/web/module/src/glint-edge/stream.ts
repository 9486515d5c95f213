/** The model of a bundle as a stream of states, whatever runs it. */

import type { Manifest } from './bundle';
import type { Runtime, TopK } from './runtime';
import { Turns } from './turns';

export class Stream {
  /** The runtimes take one call at a time. */
  private readonly turns = new Turns();

  constructor(
    private readonly runtime: Runtime,
    readonly manifest: Manifest,
  ) {}

  /** The state of no history. */
  empty(): Float32Array {
    return new Float32Array(this.manifest.state.shape[1]);
  }

  /** How many of a session's last items count. */
  get window(): number {
    return this.manifest.window === 'sliding' ? this.manifest.model.max_length : Infinity;
  }

  /** The state after a whole history. */
  async encode(ids: readonly number[]): Promise<Float32Array> {
    const counted = ids.slice(Math.max(0, ids.length - this.window));
    return this.turns.take(() => this.runtime.appendMany(this.empty(), counted));
  }

  /**
   * The state one item further.
   *
   * @param ids the whole history, the new item its last.
   */
  async append(state: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    // A state cannot forget its oldest item: a full one begins again from the last ones.
    if (ids.length > this.window) return this.encode(ids);
    return this.turns.take(() => this.runtime.append(state, ids.at(-1) ?? 0));
  }

  /** The artifact's list for a state. */
  top(state: Float32Array): Promise<TopK> {
    return this.turns.take(() => this.runtime.recommend(state));
  }

  /** Give back the runtime's memory, after the calls that are under way. */
  close(): Promise<void> {
    return this.turns.take(() => this.runtime.close());
  }
}
