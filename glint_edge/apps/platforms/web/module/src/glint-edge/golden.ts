/** Replaying golden.json: does this browser compute what was exported. */

import { type BundleSource, type Manifest, readChecked } from './bundle';
import { isList, isWhole, parseJson, requireForm } from './documents';
import { GlintError } from './errors';
import type { Recommender } from './recommender';
import type { TopK } from './runtime';
import type { Stream } from './stream';

interface GoldenCase {
  readonly history: readonly number[];
  readonly state_sum: number;
  readonly state_norm: number;
  readonly items: readonly number[];
  readonly scores: readonly number[];
}

interface Golden {
  readonly tolerance: { readonly relative_state_error: number; readonly score_error: number };
  readonly cases: readonly GoldenCase[];
}

export interface Replay {
  readonly cases: number;
  /** One sentence for each case that differs. */
  readonly failures: readonly string[];
}

/**
 * Read golden.json.
 *
 * @throws GlintError `damaged`
 */
export async function readGolden(source: BundleSource, manifest: Manifest): Promise<Golden> {
  const place = `${source.place}golden.json`;
  const golden = parseJson(await readChecked(source, manifest, 'golden.json'), place);
  return requireForm<Golden>(
    golden,
    place,
    ({ tolerance, cases }) =>
      isPositive(tolerance.relative_state_error) &&
      tolerance.relative_state_error <= 1 &&
      isPositive(tolerance.score_error) &&
      cases.length > 0 &&
      cases.every((one) => isCase(one, manifest)),
  );
}

function isCase(one: GoldenCase, { model, top_k }: Manifest): boolean {
  const { history, items, scores } = one;
  return (
    Number.isFinite(one.state_sum) &&
    isPositive(one.state_norm) &&
    [history, items, scores].every(isList) &&
    [items, scores].every((list) => list.length === top_k) &&
    history.every((id) => isWhole(id, 0, model.items)) &&
    items.every((id) => isWhole(id, 1, model.items)) &&
    scores.every(Number.isFinite)
  );
}

/** A number that is not below 0. */
function isPositive(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/**
 * Run the longest golden case that no window cuts, once, by each of the three methods: what a load
 * can afford. It also sets up in the runtime what later calls use.
 *
 * @throws GlintError `damaged`: it gives anything else.
 */
export async function requireGolden(stream: Stream, golden: Golden, place: string): Promise<void> {
  const fitting = golden.cases.filter(
    ({ history }) => history.length <= stream.manifest.model.max_length,
  );
  const [expected] = fitting.sort((one, other) => other.history.length - one.history.length);
  if (expected === undefined) return;
  let state = await stream.encode(expected.history.slice(0, -1));
  if (expected.history.length > 0) state = await stream.append(state, expected.history);
  const wrong = [
    ...stateErrors(golden, expected, state),
    ...listErrors(golden, expected, await stream.top(state)),
  ];
  if (wrong.length === 0) return;
  const number = golden.cases.indexOf(expected);
  throw new GlintError(
    'damaged',
    `${place} does not compute what was exported (golden case ${number}: ${wrong[0]}); ` +
      'copy the bundle again',
  );
}

/** Run every golden case of a bundle, at once by `append_many` and item by item by `append`. */
export async function replayGolden(recommender: Recommender, source: BundleSource): Promise<Replay> {
  const golden = await readGolden(source, recommender.manifest);
  const { stream } = recommender;
  const failures: string[] = [];
  for (const [number, expected] of golden.cases.entries()) {
    let state = stream.empty();
    for (let n = 1; n <= expected.history.length; n++) {
      state = await stream.append(state, expected.history.slice(0, n));
    }
    for (const found of [state, await stream.encode(expected.history)]) {
      const wrong = [
        ...stateErrors(golden, expected, found),
        ...listErrors(golden, expected, await stream.top(found)),
      ];
      if (wrong.length > 0) failures.push(`golden case ${number}: ${wrong.join(', and ')}`);
    }
  }
  return { cases: golden.cases.length, failures };
}

function stateErrors(golden: Golden, expected: GoldenCase, state: Float32Array): string[] {
  const allowed = golden.tolerance.relative_state_error * expected.state_norm;
  const found = {
    state_sum: state.reduce((sum, value) => sum + value, 0),
    state_norm: Math.sqrt(state.reduce((sum, value) => sum + value * value, 0)),
  };
  return (['state_sum', 'state_norm'] as const)
    .filter((name) => !(Math.abs(found[name] - expected[name]) <= allowed)) // so that NaN is wrong
    .map((name) => `${name} is ${found[name]}, not ${expected[name]}`);
}

function listErrors(golden: Golden, expected: GoldenCase, { ids, scores }: TopK): string[] {
  const tolerance = golden.tolerance.score_error;
  if (ids.length !== expected.items.length) {
    return [`it recommends ${ids.length} items, not ${expected.items.length}`];
  }
  const errors: string[] = [];
  expected.scores.forEach((score, place) => {
    const found = scores[place] ?? NaN;
    if (!(Math.abs(found - score) <= tolerance)) {
      errors.push(`the score in place ${place + 1} is ${found}, not ${score}`);
    }
  });
  ids.forEach((id, place) => {
    if (ids.indexOf(id) !== place) errors.push(`item ${id} is in the list twice`);
    else if (!mayStand(expected, id, place, tolerance)) {
      errors.push(`item ${id} in place ${place + 1} should be ${expected.items[place]}`);
    }
  });
  return errors;
}

/**
 * Items may swap places if their scores differ by no more than the tolerance, and one from beyond
 * the list may come in where the score is that near to the last. Without a history nothing is
 * computed, and the order is exact.
 */
function mayStand(expected: GoldenCase, id: number, place: number, tolerance: number): boolean {
  if (id === expected.items[place]) return true;
  const other = expected.scores.at(expected.items.indexOf(id)) ?? NaN; // -1: the last one
  const score = expected.scores[place] ?? NaN;
  return expected.history.length > 0 && Math.abs(score - other) <= tolerance;
}
