/** JSON that somebody else may have written: held to bounds, and to the form that is read of it. */

import { GlintError } from './errors';

export const SHA256 = /^[0-9a-f]{64}$/;
/** A file of a bundle: none that lies elsewhere. */
export const FILE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,98}$/;
/** What a bundle may be called. */
export const NAME = /^[A-Za-z0-9]([A-Za-z0-9._+ -]{0,62}[A-Za-z0-9])?$/;
/** Lists and objects in one another. */
const MOST_DEEP = 32;
const HALF_OF_A_CHARACTER = /\p{Surrogate}/u;

/**
 * Parse a JSON file.
 *
 * @throws GlintError `damaged`: it is none, or out of bounds.
 */
export function parseJson(bytes: Uint8Array, place: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new GlintError('damaged', `${place} is no JSON; copy the bundle again`, { cause: error });
  }
  return requireForm(value, place, isInBounds);
}

/** A level of nesting after the other: a file may nest deeper than calls can. */
function isInBounds(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth < MOST_DEEP; depth++) {
    if (!level.every(isScalarInBounds)) return false;
    level = level.flatMap((one) => (isObject(one) ? Object.entries(one).flat() : isList(one) ? one : []));
    if (level.length === 0) return true;
  }
  return false;
}

function isScalarInBounds(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'string' || !HALF_OF_A_CHARACTER.test(value);
}

/**
 * What was parsed, once it has the parts that are read of it.
 *
 * @param fits may throw where a part is missing.
 * @throws GlintError `damaged`
 */
export function requireForm<T>(value: unknown, place: string, fits: (value: T) => boolean): T {
  let whole = false;
  try {
    whole = fits(value as T);
  } catch {
    // A part is missing, or of another type.
  }
  if (whole) return value as T;
  throw new GlintError('damaged', `${place} is damaged; copy the bundle again`);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isMatch(value: unknown, pattern: RegExp): boolean {
  return isText(value) && pattern.test(value);
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isList(value);
}

/** A whole number from `least` to `most`. */
export function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}
