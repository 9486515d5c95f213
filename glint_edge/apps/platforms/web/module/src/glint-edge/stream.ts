/** The model of a bundle as a stream of states, whatever runs it. */

import { type Manifest, rowsOf } from './bundle';
import { GlintError, reasonOf } from './errors';
import { NOTHING_LEFT } from './filters';
import type { Runtime, TopK } from './runtime';
import { Turns } from './turns';

/** What a runtime throws comes out as a `GlintError` `damaged`, and so do scores that are none. */
export class Stream {
  /** The runtimes take one call at a time. */
  private readonly turns = new Turns();
  private closed = false;
  /** Rows of the item table: numbers of a bias. */
  readonly rows: number;
  /** How many of a session's last items count. */
  readonly window: number;
  /** A state takes in so many items more before it begins again from the last ones. */
  private readonly slack: number;

  /** @param items how many the catalogue has. */
  constructor(
    private readonly runtime: Runtime,
    readonly manifest: Manifest,
    private readonly items: number,
  ) {
    const { max_length, padding } = manifest.model;
    this.rows = rowsOf(manifest);
    this.window = manifest.window === 'sliding' ? max_length : Infinity;
    // An imported model gives its authors' scores, which are those of the last items exactly.
    this.slack = padding === 'reference' ? 0 : Math.floor(max_length / 4);
  }

  /** Whether the runtime gives the same bits on every machine. */
  get isExact(): boolean {
    return this.runtime.isExact ?? false;
  }

  /** The state of no history. */
  empty(): Float32Array {
    return new Float32Array(this.manifest.state.shape[1]);
  }

  /** The state after a whole history, of which the window's last items count. */
  async encode(ids: readonly number[]): Promise<Float32Array> {
    const counted = ids.slice(Math.max(0, ids.length - this.window));
    return this.state(() => this.runtime.appendMany(this.empty(), counted));
  }

  /**
   * The state one item further.
   *
   * @param ids the history before it.
   */
  async append(state: Float32Array, ids: readonly number[], id: number): Promise<Float32Array> {
    // A state cannot forget its oldest item: a full one begins again from the last ones, which the
    // slack makes rare.
    const held = state[0] ?? 0; // it begins with its count
    if (held >= this.window + this.slack) return this.encode([...ids.slice(-this.window), id]);
    return this.state(() => this.runtime.append(state, id));
  }

  /** The best items for a state, of those that a bias leaves: `top_k`, or all that there are. */
  top(state: Float32Array, bias: Float32Array | null = null): Promise<TopK> {
    return this.list(bias, () => this.runtime.recommend(state, bias));
  }

  /** The same of the items that are most like one; the scores are cosines. */
  similar(id: number, bias: Float32Array | null = null): Promise<TopK> {
    return this.list(bias, () => this.runtime.similar(id, bias));
  }

  /**
   * Run each method once: what cannot be run is refused before anybody taps, and what a runtime sets
   * up at its first calls is no part of a tap.
   */
  async tryOnce(): Promise<void> {
    const first = 1; // every catalogue has it
    const state = await this.encode([first]);
    await this.top(await this.append(state, [first], first));
  }

  /** Give back the runtime's memory, after the calls that are under way. */
  async close(): Promise<void> {
    if (this.closed) return;
    const closing = this.run(() => this.runtime.close());
    this.closed = true;
    await closing;
  }

  private async list(bias: Float32Array | null, call: () => Promise<TopK>): Promise<TopK> {
    let { ids, scores } = await this.run(call);
    const most = this.manifest.top_k;
    if (ids.length !== most || scores.length !== most) {
      throw this.damaged(`it recommends ${ids.length} items, not ${most}`);
    }
    const left = scores.findIndex((score) => score < NOTHING_LEFT);
    if (left >= 0) [ids, scores] = [ids.slice(0, left), scores.slice(0, left)];
    if (!scores.every(Number.isFinite)) throw this.damaged('its scores are no numbers');
    if (!ids.every((id) => id >= 1 && id <= this.items)) {
      throw this.damaged('it recommends items that are not in the catalogue');
    }
    if (bias !== null && ids.some((id) => bias[id]! < NOTHING_LEFT)) {
      throw this.damaged('it recommends items that were left out');
    }
    return { ids, scores };
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
