/** The app's own item keys and titles; inside, an item is its place in the list, from 1. */

import { isObject, isText, parseJson, requireForm } from './documents';
import { GlintError } from './errors';

/** An item as the app knows it. */
export interface Item {
  readonly key: string;
  /** null: the catalogue has none. */
  readonly title: string | null;
}

/** What is read of items.json; retired items are there too, a history may hold them. */
export interface ItemsFile {
  readonly keys: readonly (string | number)[];
  readonly titles?: Readonly<Record<string, string>>;
}

/**
 * Parse items.json.
 *
 * @param items how many the model has.
 * @throws GlintError `damaged`
 */
export function parseItems(bytes: Uint8Array, place: string, items: number): ItemsFile {
  return requireForm<ItemsFile>(
    parseJson(bytes, place),
    place,
    ({ keys, titles = {} }) =>
      keys.length === items &&
      keys.every((key) => (isText(key) ? key !== '' : Number.isSafeInteger(key))) &&
      new Set(keys.map(String)).size === items &&
      isObject(titles) &&
      Object.values(titles).every(isText),
  );
}

/** What an unknown key does: stop the call, or be left out and counted. */
export type UnknownItems = 'refuse' | 'skip';

export class Catalogue {
  /** All items; those of a bundle made by training come the most popular first. */
  readonly items: readonly Item[];
  private readonly idOf: ReadonlyMap<string, number>;

  /** @param file items.json, parsed. */
  constructor(file: ItemsFile) {
    const titles = new Map(Object.entries(file.titles ?? {}));
    this.items = file.keys.map((key) => ({
      key: String(key),
      title: titles.get(String(key)) ?? null,
    }));
    this.idOf = new Map(this.items.map(({ key }, position) => [key, position + 1]));
  }

  get size(): number {
    return this.items.length;
  }

  /** The item of an id; undefined for padding and for reserved places. */
  item(id: number): Item | undefined {
    return this.items[id - 1];
  }

  /**
   * The id of a key; null if it is to be skipped.
   *
   * @throws GlintError `unknown-item`
   */
  id(key: string, unknown: UnknownItems): number | null {
    const id = this.idOf.get(key);
    if (id !== undefined) return id;
    if (unknown === 'skip') return null;
    throw new GlintError(
      'unknown-item',
      `item ${JSON.stringify(key)} is not in the catalogue; leave it out, or load with unknown: 'skip'`,
    );
  }
}
