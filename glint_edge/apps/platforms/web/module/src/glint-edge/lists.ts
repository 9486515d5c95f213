/** A list of any length, from an artifact that gives `top_k` items at a time. */

import type { Catalogue, Item } from './catalogue';
import { isWhole } from './documents';
import { GlintError } from './errors';
import { biasOf, type Filters, leaveOut, LEFT_OUT, limitsOf } from './filters';
import type { Pulls } from './neighbours';
import type { Stream } from './stream';
import type { TopK } from './runtime';

/** An item with its score; only the order of scores means something. */
export interface Recommendation extends Item {
  readonly score: number;
  /** The key of the history's item whose neighbour it is; null: it is none's. */
  readonly because: string | null;
}

/**
 * The k best items that the filters leave, best first: fewer only if there are no more.
 *
 * The artifact is asked again, without the items that are in the list already and those of which
 * there are enough, until there are k.
 *
 * @param k from 1.
 * @param seen ids that are left out too.
 * @param ask gives the artifact's best `top_k` items for a bias.
 * @param pulls what neighbours add to scores.
 * @throws GlintError `argument`
 */
export async function bestItems(
  stream: Stream,
  catalogue: Catalogue,
  k: number,
  filters: Filters,
  seen: readonly number[],
  ask: (bias: Float32Array | null) => Promise<TopK>,
  pulls: Pulls = new Map(),
): Promise<Recommendation[]> {
  if (!isWhole(k, 1, Infinity)) {
    throw new GlintError('argument', `k must be a whole number from 1, not ${k}`);
  }
  const limits = limitsOf(filters, catalogue);
  let bias = biasOf(filters, catalogue, stream.rows, seen, pulls);
  const list: Recommendation[] = [];
  for (;;) {
    const { ids, scores } = await ask(bias);
    const taken: number[] = [];
    for (const [place, id] of ids.entries()) {
      if (limits.some((limit) => limit.isFull(id))) continue;
      for (const limit of limits) limit.count(id);
      taken.push(id);
      const because = catalogue.item(pulls.get(id)?.because ?? 0)?.key ?? null;
      list.push({ ...catalogue.item(id)!, score: scores[place]!, because });
      if (list.length === k) return list;
    }
    if (ids.length < stream.manifest.top_k) return list;
    bias ??= new Float32Array(stream.rows);
    for (const id of taken) bias[id] = LEFT_OUT;
    if (limits.length > 0) {
      leaveOut(bias, catalogue, (id) => limits.some((limit) => limit.isFull(id)));
    }
  }
}
