/** The model of a bundle as a stream of states, whatever runs it. */

import type { Manifest } from './bundle';
import { GlintError, reasonOf } from './errors';
import type { Runtime, TopK } from './runtime';
import { Turns } from './turns';

/** What a runtime throws comes out as a `GlintError` `damaged`, and so do scores that are none. */
export class Stream {
  /** The runtimes take one call at a time. */
  private readonly turns = new Turns();
  private closed = false;

  constructor(
    private readonly runtime: Runtime,
    readonly manifest: Manifest,
    /** How many items the catalogue has. */
    private readonly items: number,
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
    return this.state(() => this.runtime.appendMany(this.empty(), counted));
  }

  /**
   * The state one item further.
   *
   * @param ids the whole history, the new item its last.
   */
  async append(state: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    // A state cannot forget its oldest item: a full one begins again from the last ones.
    if (ids.length > this.window) return this.encode(ids);
    return this.state(() => this.runtime.append(state, ids.at(-1) ?? 0));
  }

  /** The artifact's list for a state. */
  async top(state: Float32Array): Promise<TopK> {
    const found = await this.run(() => this.runtime.recommend(state));
    const { ids, scores } = found;
    const most = this.manifest.top_k;
    if (ids.length !== most || scores.length !== most) {
      throw this.damaged(`it recommends ${ids.length} items, not ${most}`);
    }
    if (!scores.every(Number.isFinite)) throw this.damaged('its scores are no numbers');
    if (!ids.every((id) => id >= 1 && id <= this.items)) {
      throw this.damaged('it recommends items that are not in the catalogue');
    }
    return found;
  }

  /** Give back the runtime's memory, after the calls that are under way. */
  async close(): Promise<void> {
    if (this.closed) return;
    const closing = this.run(() => this.runtime.close());
    this.closed = true;
    await closing;
  }

  private async state(call: () => Promise<Float32Array>): Promise<Float32Array> {
    const state = await this.run(call);
    if (state.length !== this.manifest.state.shape[1] || !state.every(Number.isFinite)) {
      throw this.damaged('its state is not made of numbers');
    }
    return state;
  }

  private async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.closed) {
      throw new GlintError('argument', 'the recommender is closed; load the bundle again');
    }
    try {
      return await this.turns.take(call);
    } catch (error) {
      throw this.damaged(reasonOf(error), error);
    }
  }

  private damaged(reason: string, cause?: unknown): GlintError {
    return new GlintError(
      'damaged',
      `the model of ${this.manifest.name} cannot be run (${reason}); export the bundle again`,
      { cause },
    );
  }
}
