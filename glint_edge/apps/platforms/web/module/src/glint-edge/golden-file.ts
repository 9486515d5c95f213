/** golden.json: histories and lists with what they must give. */

import { type BundleSource, type Manifest, MOST_ITEMS, readChecked } from './bundle';
import { isList, isMatch, isObject, isText, isWhole, parseJson, requireForm } from './documents';
import { isBoost } from './filters';

/** What must come, best first. */
export interface GoldenItems {
  readonly items: readonly number[];
  readonly scores: readonly number[];
}

/** A history, the state after it, and the artifact's whole list. */
export interface GoldenCase extends GoldenItems {
  readonly history: readonly number[];
  readonly state_sum: number;
  readonly state_norm: number;
  /** What the engine gives on every machine, where the bundle has a file of its. */
  readonly exact?: GoldenItems & {
    /** Of the state's bytes, little endian: 32-bit FNV-1a in hexadecimal. */
    readonly state: string;
  };
}

/** A list with filters, as every platform's own words give it. */
export interface GoldenList extends GoldenItems {
  readonly k: number;
  readonly filter: GoldenFilter;
  /** By id: other items whose scores come as near to the list's as the tolerance. */
  readonly near: Readonly<Record<string, number>>;
}

export interface GoldenFilter {
  readonly exclude_seen?: boolean;
  readonly without?: readonly string[];
  readonly among?: readonly string[];
  readonly where?: Readonly<Record<string, readonly string[]>>;
  readonly boost?: Readonly<Record<string, number>>;
  readonly most_per?: Readonly<Record<string, number>>;
}

/** A list after a history. */
export interface GoldenHistoryList extends GoldenList {
  readonly history: readonly number[];
  /** Whether the bundle's neighbours have a part in it. */
  readonly neighbours?: boolean;
}

export interface Golden {
  readonly tolerance: {
    readonly relative_state_error: number;
    readonly score_error: number;
    readonly cosine_error: number;
  };
  readonly cases: readonly GoldenCase[];
  readonly lists: readonly GoldenHistoryList[];
  readonly similar: readonly (GoldenList & { readonly item: number })[];
}

/**
 * Read golden.json.
 *
 * @throws GlintError `damaged`
 */
export async function readGolden(source: BundleSource, manifest: Manifest): Promise<Golden> {
  const place = `${source.place}golden.json`;
  const golden = parseJson(await readChecked(source, manifest, 'golden.json'), place);
  return requireForm<Golden>(golden, place, (whole) => isGolden(whole, manifest));
}

function isGolden({ tolerance, cases, lists, similar }: Golden, manifest: Manifest): boolean {
  const { items } = manifest.model;
  return (
    isPositive(tolerance.relative_state_error) &&
    tolerance.relative_state_error <= 1 &&
    isPositive(tolerance.score_error) &&
    isPositive(tolerance.cosine_error) &&
    cases.length > 0 &&
    cases.every((one) => isCase(one, manifest)) &&
    lists.every(
      (one) =>
        areIds(one.history, items) &&
        ['undefined', 'boolean'].includes(typeof one.neighbours) &&
        isFiltered(one, items),
    ) &&
    similar.every(
      (one) =>
        isWhole(one.item, 1, items) &&
        one.filter.exclude_seen === undefined &&
        isFiltered(one, items),
    )
  );
}

function isCase(one: GoldenCase, { model, top_k }: Manifest): boolean {
  return (
    Number.isFinite(one.state_sum) &&
    isPositive(one.state_norm) &&
    isList(one.history) &&
    one.history.every((id) => isWhole(id, 0, model.items)) &&
    areItems(one, model.items) &&
    one.items.length === top_k &&
    (one.exact === undefined ||
      (isMatch(one.exact.state, /^[0-9a-f]{8}$/) && areItems(one.exact, model.items)))
  );
}

function isFiltered(one: GoldenList, items: number): boolean {
  const { k, filter, near } = one;
  return (
    isWhole(k, 1, MOST_ITEMS) &&
    areItems(one, items) &&
    one.items.length <= k &&
    isFilter(filter) &&
    isObject(near) &&
    Object.keys(near).every((id) => isMatch(id, /^[1-9]\d*$/) && isWhole(Number(id), 1, items)) &&
    Object.values(near).every(Number.isFinite)
  );
}

/** Of each part what it must be; a part that is not here is of a later version. */
const FILTER: Readonly<Record<string, (value: unknown) => boolean>> = {
  exclude_seen: (value) => typeof value === 'boolean',
  without: areTexts,
  among: areTexts,
  where: (value) => isObject(value) && Object.values(value).every(areTexts),
  boost: (value) => isObject(value) && Object.values(value).every(isBoost),
  most_per: (value) =>
    isObject(value) && Object.values(value).every((most) => isWhole(most, 1, MOST_ITEMS)),
};

function isFilter(filter: GoldenFilter): boolean {
  return (
    isObject(filter) &&
    Object.entries(filter).every(([name, value]) => Object.hasOwn(FILTER, name) && FILTER[name]!(value))
  );
}

function areTexts(value: unknown): boolean {
  return isList(value) && value.every(isText);
}

function areItems({ items, scores }: GoldenItems, most: number): boolean {
  return (
    areIds(items, most) &&
    isList(scores) &&
    scores.length === items.length &&
    scores.every(Number.isFinite)
  );
}

function areIds(ids: readonly number[], most: number): boolean {
  return isList(ids) && ids.every((id) => isWhole(id, 1, most));
}

/** A number that is not below 0. */
function isPositive(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
