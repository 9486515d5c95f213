/**
 * Filters, in an app's words, as what the artifact takes: a bias, one number for each row of its
 * item table that is added to the row's score.
 */

import type { Catalogue } from './catalogue';
import { isObject, isText, isWhole } from './documents';
import { GlintError } from './errors';
import type { Field } from './fields';
import type { Pulls } from './neighbours';

/** Leaves a row out, whatever its score and whatever else is added. */
export const LEFT_OUT = -1e30;
/** A score below it is of a row that is left out. */
export const NOTHING_LEFT = -1e29;
const LARGEST_BOOST = 1e6;

type Keys = readonly string[] | ReadonlySet<string>;

/** Which items may be in a list; keys that are not in the catalogue count for nothing. */
export interface Filters {
  /** Leave these out, by key. */
  readonly without?: Keys;
  /** Of these alone, by key; null: of all. */
  readonly among?: Keys | null;
  /** Of items alone whose value of each field is the one, or one of those, that stand here. */
  readonly where?: Readonly<Record<string, string | Keys>>;
  /** Added to the items' scores, by key. */
  readonly boost?: Readonly<Record<string, number>>;
  /** At most so many items of one value of a field. */
  readonly mostPer?: Readonly<Record<string, number>>;
}

/**
 * A bias of some filters; null where nothing is filtered, and nothing pulled.
 *
 * @param rows of the item table.
 * @param seen ids that are left out too.
 * @param pulls what neighbours add to scores.
 * @throws GlintError `argument`
 */
export function biasOf(
  { without, among, where, boost }: Filters,
  catalogue: Catalogue,
  rows: number,
  seen: readonly number[],
  pulls: Pulls,
): Float32Array | null {
  const out = [...seen, ...idsOf(without ?? [], 'without', catalogue)];
  const kept = among === undefined || among === null ? null : idsOf(among, 'among', catalogue);
  const [pushes, conditions] = [entriesOf(boost, 'boost'), entriesOf(where, 'where')];
  const isFiltered = kept !== null || out.length + pushes.length + conditions.length > 0;
  if (!isFiltered && pulls.size === 0) return null;
  const bias = new Float32Array(rows);
  if (kept !== null) {
    bias.fill(LEFT_OUT);
    for (const id of kept) bias[id] = 0;
  }
  // What is left out stays out: nothing that is added is near its size.
  for (const [id, { rise }] of pulls) bias[id]! += rise;
  for (const [key, number] of pushes) {
    if (!isBoost(number)) {
      throw argument(`boost of ${JSON.stringify(key)} must be a number up to a million in size`);
    }
    const id = catalogue.find(key);
    if (id !== undefined) bias[id]! += number;
  }
  for (const [name, values] of conditions) {
    const field = catalogue.fields.named(name);
    const codes = field.codesOf(isText(values) ? [values] : textsOf(values, `where of ${name}`));
    leaveOut(bias, catalogue, (id) => !codes.has(field.code(id)));
  }
  for (const id of out) bias[id] = LEFT_OUT;
  return bias;
}

/** Whether it is a number that may be added to a score. */
export function isBoost(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= LARGEST_BOOST;
}

/** Leave out the items that are so. */
export function leaveOut(bias: Float32Array, catalogue: Catalogue, isSo: (id: number) => boolean) {
  for (let id = 1; id <= catalogue.size; id++) if (isSo(id)) bias[id] = LEFT_OUT;
}

/** How many items of each value of a field are in a list, and how many may be. */
export class Limit {
  private readonly counts = new Map<number, number>();

  constructor(
    private readonly field: Field,
    private readonly most: number,
  ) {}

  /** Whether there are enough of an item's value. */
  isFull(id: number): boolean {
    const code = this.field.code(id);
    return code !== 0 && (this.counts.get(code) ?? 0) >= this.most;
  }

  count(id: number) {
    const code = this.field.code(id);
    this.counts.set(code, (this.counts.get(code) ?? 0) + 1);
  }
}

/**
 * The limits of a list that begins.
 *
 * @throws GlintError `argument`
 */
export function limitsOf({ mostPer }: Filters, catalogue: Catalogue): Limit[] {
  return entriesOf(mostPer, 'mostPer').map(([name, most]) => {
    if (!isWhole(most, 1, Infinity)) {
      throw argument(`mostPer of ${name} must be a whole number from 1`);
    }
    return new Limit(catalogue.fields.named(name), most);
  });
}

/**
 * Texts, where several are meant.
 *
 * @throws GlintError `argument`: it is one text, or not all are texts.
 */
export function textsOf(values: Keys, name: string): readonly string[] {
  const list = isText(values) || !isIterable(values) ? [null] : [...values];
  if (list.every(isText)) return list;
  throw argument(`${name} must be a list of texts`);
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function idsOf(keys: Keys, name: string, catalogue: Catalogue): number[] {
  return textsOf(keys, name).flatMap((key) => catalogue.find(key) ?? []);
}

function entriesOf<T>(values: Readonly<Record<string, T>> | undefined, name: string): [string, T][] {
  if (values === undefined || values === null) return [];
  if (!isObject(values)) throw argument(`${name} must be an object`);
  return Object.entries(values);
}

function argument(message: string): GlintError {
  return new GlintError('argument', message);
}
