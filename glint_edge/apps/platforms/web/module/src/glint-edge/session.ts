/** One person's history, with the state the model keeps of it. */

import { excludesSeen } from './bundle';
import type { Catalogue, Item, UnknownItems } from './catalogue';
import { GlintError } from './errors';
import { encodeSession } from './session-bytes';
import type { Stream } from './stream';
import { Turns } from './turns';

/** An item with its score; only the order of scores means something. */
export interface Recommendation extends Item {
  readonly score: number;
}

export interface TopOptions {
  /**
   * Leave out what is in the history; fewer than k may be left (default: where nobody takes an item
   * again in the log of the training).
   */
  readonly excludeSeen?: boolean;
}

/** Made by `Recommender.start` and `.resume`. Its calls are carried out in the order they come. */
export class Session {
  private skippedItems = 0;
  /** A second tap may come before the first is computed; each begins where the last one ended. */
  private readonly turns = new Turns();

  /** @internal */
  constructor(
    private readonly stream: Stream,
    private readonly catalogue: Catalogue,
    private readonly unknown: UnknownItems,
    private state: Float32Array = stream.empty(),
    private ids: readonly number[] = [],
  ) {}

  /** The items, the oldest first. */
  get history(): readonly Item[] {
    return this.ids.flatMap((id) => this.catalogue.item(id) ?? []);
  }

  /** How many unknown items were left out, if the recommender skips them. */
  get skipped(): number {
    return this.skippedItems;
  }

  /**
   * Take in an item, by its key.
   *
   * @throws GlintError `unknown-item`, unless the recommender skips them.
   */
  async append(key: string): Promise<void> {
    const [id] = this.known([key]);
    if (id === undefined) return;
    await this.turns.take(async () => {
      const ids = [...this.ids, id];
      this.state = await this.stream.append(this.state, ids);
      this.ids = ids;
    });
  }

  /** @internal A whole history at once, into a session that has none. */
  async begin(history: readonly string[]): Promise<this> {
    const ids = this.known(history);
    this.state = await this.stream.encode(ids);
    this.ids = ids;
    return this;
  }

  /**
   * The k best items, best first.
   *
   * @throws GlintError `argument`: k is larger than what the bundle was exported for.
   */
  async top(k: number, { excludeSeen }: TopOptions = {}): Promise<Recommendation[]> {
    const most = this.stream.manifest.top_k;
    if (!Number.isInteger(k) || k < 1 || k > most) {
      throw new GlintError(
        'argument',
        `k is ${k}, but this bundle gives 1 to ${most} items; export with a larger --top-k`,
      );
    }
    return this.turns.take(async () => {
      const { ids, scores } = await this.stream.top(this.state);
      const without = excludeSeen ?? excludesSeen(this.stream.manifest);
      const seen = new Set(without ? this.ids : []);
      return ids
        .flatMap((id, place) => {
          const item = this.catalogue.item(id);
          return item && !seen.has(id) ? { ...item, score: scores[place] ?? NaN } : [];
        })
        .slice(0, k);
    });
  }

  /** What `Recommender.resume` takes, on any platform with the same bundle. */
  save(): Uint8Array<ArrayBuffer> {
    return encodeSession({
      digest: this.stream.manifest.digest,
      state: this.state,
      ids: this.ids,
    });
  }

  private known(keys: readonly string[]): number[] {
    const ids = keys.map((key) => this.catalogue.id(key, this.unknown));
    const known = ids.filter((id) => id !== null);
    this.skippedItems += ids.length - known.length;
    return known;
  }
}
