/** One person's history, with the state the model keeps of it. */

import { excludesSeen } from './bundle';
import type { Catalogue, Item, UnknownItems } from './catalogue';
import { type Filters, textsOf } from './filters';
import { bestItems, type Recommendation } from './lists';
import { type Neighbours, pullsAfter } from './neighbours';
import { encodeSession, whatCounts } from './session-bytes';
import type { Stream } from './stream';
import { Turns } from './turns';

export interface TopOptions extends Filters {
  /**
   * Leave out what is in the history; false: nothing of it (default: all of it where nobody takes an
   * item again in the log of the training, else the last item alone).
   */
  readonly excludeSeen?: boolean;
  /**
   * Raise what is tapped near the history's last items in the log (default: if the bundle has
   * neighbours); false: the model alone.
   */
  readonly neighbours?: boolean | null;
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
    private readonly neighbours: Neighbours | null = null,
    private state: Float32Array = stream.empty(),
    private ids: number[] = [],
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
      this.state = await this.stream.append(this.state, this.ids, id);
      this.ids.push(id);
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
   * The k best items, best first; fewer where the filters leave fewer. The state stays.
   *
   * @param k from 1, also above what the artifact gives at once.
   * @throws GlintError `argument`
   */
  async top(
    k = 10,
    { excludeSeen, neighbours, ...filters }: TopOptions = {},
  ): Promise<Recommendation[]> {
    return this.turns.take(async () => {
      const { stream, catalogue, state, ids } = this;
      const seen = this.leftOut(excludeSeen);
      const pulls = pullsAfter(this.neighbours, neighbours, ids);
      const ask = (bias: Float32Array | null) => stream.top(state, bias);
      return bestItems(stream, catalogue, k, filters, seen, ask, pulls);
    });
  }

  /** What `Recommender.resume` takes, on any platform with the same bundle. */
  save(): Uint8Array<ArrayBuffer> {
    return encodeSession({
      digest: this.stream.manifest.digest,
      state: this.state,
      ids: whatCounts(this.ids, Math.max(this.stream.window, this.neighbours?.last ?? 0)),
    });
  }

  /** The part of the history that a list leaves out. */
  private leftOut(excludeSeen: boolean | undefined): readonly number[] {
    if (excludeSeen ?? excludesSeen(this.stream.manifest)) return this.ids;
    return excludeSeen === false ? [] : this.ids.slice(-1);
  }

  private known(keys: readonly string[]): number[] {
    const ids = textsOf(keys, 'the history').map((key) => this.catalogue.id(key, this.unknown));
    const known = ids.filter((id) => id !== null);
    this.skippedItems += ids.length - known.length;
    return known;
  }
}
