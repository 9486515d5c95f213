/**
 * Replaying golden.json: does this browser compute what was exported.
 *
 * For an app's tests, for an update before it is taken, and where somebody asks. No load does it: it
 * would be a download of every first visit.
 */

import type { BundleSource } from './bundle';
import type { Filters } from './filters';
import {
  type Golden,
  type GoldenCase,
  type GoldenFilter,
  type GoldenItems,
  type GoldenList,
  readGolden,
} from './golden-file';
import type { Recommendation } from './lists';
import type { Recommender } from './recommender';
import type { TopK } from './runtime';
import type { Stream } from './stream';

export interface Replay {
  /** How many there are: histories, lists with filters, and lists of what is like an item. */
  readonly cases: number;
  /** One sentence for each case that differs. */
  readonly failures: readonly string[];
}

/**
 * Run every golden case of a bundle, at once by `append_many` and item by item by `append`, and
 * every list by the words that an app has.
 */
export async function replayGolden(recommender: Recommender, source: BundleSource): Promise<Replay> {
  const golden = await readGolden(source, recommender.manifest);
  const { cases, lists, similar, tolerance } = golden;
  const failures: string[] = [];
  const note = (name: string, wrong: readonly string[]) => {
    if (wrong.length > 0) failures.push(`golden ${name}: ${wrong.join(', and ')}`);
  };
  for (const [number, expected] of cases.entries()) {
    for (const state of await statesAfter(recommender.stream, expected.history)) {
      const top = await recommender.stream.top(state);
      note(`case ${number}`, caseErrors(golden, expected, state, top));
      if (recommender.stream.isExact) note(`case ${number}`, exactErrors(expected, state, top));
    }
  }
  const keys = (ids: readonly number[]) => ids.map((id) => recommender.catalogue.item(id)!.key);
  const ids = (list: readonly Recommendation[]): TopK => ({
    ids: list.map(({ key }) => recommender.catalogue.find(key)!),
    scores: list.map(({ score }) => score),
  });
  const rounding = recommender.neighbours?.rounding;
  let skipped = 0;
  for (const [number, expected] of lists.entries()) {
    const { history, k, filter, neighbours = false } = expected;
    if (neighbours && rounding === undefined) {
      skipped++; // an app's part of a bundle may lack the file
      continue;
    }
    const options = { excludeSeen: false, neighbours, ...inWords(filter) };
    const list = await recommender.recommend(keys(history), k, options);
    const error = tolerance.score_error + (neighbours ? rounding! : 0);
    // Without a history nothing is computed, and the order is exact.
    note(`list ${number}`, listErrors(expected, ids(list), error, history.length > 0 ? error : 0));
  }
  for (const [number, expected] of similar.entries()) {
    const [key = ''] = keys([expected.item]);
    const list = await recommender.similar(key, expected.k, inWords(expected.filter));
    note(`similar ${number}`, listErrors(expected, ids(list), tolerance.cosine_error));
  }
  return { cases: cases.length + lists.length - skipped + similar.length, failures };
}

/** By `append`, item by item, and by `append_many`. */
async function statesAfter(stream: Stream, history: readonly number[]): Promise<Float32Array[]> {
  let state = stream.empty();
  for (const [place, id] of history.entries()) {
    state = await stream.append(state, history.slice(0, place), id);
  }
  return [state, await stream.encode(history)];
}

/** A filter of the file in this platform's words. */
function inWords(filter: GoldenFilter): Filters & { excludeSeen?: boolean } {
  const { exclude_seen, most_per, ...same } = filter;
  return {
    ...same,
    ...(exclude_seen !== undefined && { excludeSeen: exclude_seen }),
    ...(most_per !== undefined && { mostPer: most_per }),
  };
}

/**
 * Where a case differs. An item that it does not list may come in where the score is near that of
 * the last one. Without a history nothing is computed, and the order is exact.
 */
function caseErrors(
  { tolerance }: Golden,
  expected: GoldenCase,
  state: Float32Array,
  list: TopK,
): string[] {
  const unlisted = expected.scores.at(-1) ?? NaN;
  const scoreOf =
    expected.history.length > 0 ? scoresOf(expected, {}, unlisted) : () => NaN;
  return [
    ...stateErrors(tolerance.relative_state_error, expected, state),
    ...placeErrors(expected, list, tolerance.score_error, scoreOf),
  ];
}

/** Where the engine does not give the very same. */
function exactErrors({ exact }: GoldenCase, state: Float32Array, { ids, scores }: TopK): string[] {
  if (exact === undefined) return []; // of before there was an engine
  const isSame = (found: readonly number[], expected: readonly number[]) =>
    found.length === expected.length && found.every((value, place) => value === expected[place]);
  const errors: string[] = [];
  if (hashOf(state) !== exact.state) errors.push(`the state's hash is not ${exact.state}`);
  if (!isSame(ids, exact.items)) errors.push('its items are not, one for one, those of elsewhere');
  if (!isSame(scores, exact.scores)) errors.push('its scores are not, bit for bit, those of elsewhere');
  return errors;
}

/** 32-bit FNV-1a of the bytes; browsers are little endian. */
function hashOf(state: Float32Array): string {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(state.buffer, state.byteOffset, state.byteLength)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Where a list differs. Of an item that it does not list, the score must be known. */
function listErrors(
  expected: GoldenList,
  list: TopK,
  tolerance: number,
  swap = tolerance,
): string[] {
  return placeErrors(expected, list, tolerance, scoresOf(expected, expected.near, NaN), swap);
}

function stateErrors(tolerance: number, expected: GoldenCase, state: Float32Array): string[] {
  const allowed = tolerance * expected.state_norm;
  const found = {
    state_sum: state.reduce((sum, value) => sum + value, 0),
    state_norm: Math.sqrt(state.reduce((sum, value) => sum + value * value, 0)),
  };
  return (['state_sum', 'state_norm'] as const)
    .filter((name) => !(Math.abs(found[name] - expected[name]) <= allowed)) // so that NaN is wrong
    .map((name) => `${name} is ${found[name]}, not ${expected[name]}`);
}

/** What an item's score should be. */
function scoresOf(
  { items, scores }: GoldenItems,
  near: Readonly<Record<string, number>>,
  unlisted: number,
): (id: number) => number {
  const known = new Map(Object.entries(near).map(([id, score]) => [Number(id), score]));
  items.forEach((id, place) => known.set(id, scores[place] ?? NaN));
  return (id) => known.get(id) ?? unlisted;
}

/** Items may stand in each other's place if their scores differ by no more than `swap`. */
function placeErrors(
  expected: GoldenItems,
  { ids, scores }: TopK,
  tolerance: number,
  scoreOf: (id: number) => number,
  swap = tolerance,
): string[] {
  if (ids.length !== expected.items.length) {
    return [`it recommends ${ids.length} items, not ${expected.items.length}`];
  }
  return ids.flatMap((id, place) => {
    const number = place + 1;
    const [item, score] = [expected.items[place]!, expected.scores[place]!];
    const found = scores[place] ?? NaN;
    const errors: string[] = [];
    if (!(Math.abs(found - score) <= tolerance)) {
      errors.push(`the score in place ${number} is ${found}, not ${score}`); // so that NaN is wrong
    }
    if (ids.indexOf(id) !== place) errors.push(`item ${id} is in the list twice`);
    else if (id !== item && !(Math.abs(scoreOf(id) - score) <= swap)) {
      errors.push(`item ${id} in place ${number} should be ${item}`);
    }
    return errors;
  });
}
