/** The app's own items, by its keys; inside, an item is its place in the list, from 1. */

import { isList, isObject, isText, parseJson, requireForm } from './documents';
import { GlintError } from './errors';
import { Fields } from './fields';

/** An item as the app knows it. */
export interface Item {
  readonly key: string;
  /** null: the catalogue has none. */
  readonly title: string | null;
  /** What else the catalogue tells of it, such as its category, by name. */
  readonly fields: Readonly<Record<string, string>>;
  /** The address of its picture, http or https; null: the catalogue has none. */
  readonly image: string | null;
}

/** What is read of items.json. */
export interface ItemsFile {
  readonly keys: readonly (string | number)[];
  /** Of these, what is never in a list; a history may hold it. */
  readonly retired?: readonly (string | number)[];
  readonly titles?: Texts;
  /** Of each field, the value by key. */
  readonly fields?: Readonly<Record<string, Texts>>;
  readonly images?: Texts;
}

type Texts = Readonly<Record<string, string>>;

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
    ({ keys, retired = [], titles = {}, fields = {}, images = {} }) =>
      keys.length === items &&
      isList(retired) &&
      [...keys, ...retired].every(isKey) &&
      new Set(keys.map(String)).size === items &&
      isObject(fields) &&
      [titles, images, ...Object.values(fields)].every(areTexts) &&
      Object.values(images).every((address) => /^https?:\/\//i.test(address)),
  );
}

function isKey(key: unknown): boolean {
  return isText(key) ? key !== '' : Number.isSafeInteger(key);
}

function areTexts(texts: object): boolean {
  return isObject(texts) && Object.values(texts).every(isText);
}

/** What an unknown key does: stop the call, or be left out and counted. */
export type UnknownItems = 'refuse' | 'skip';

export class Catalogue {
  /** All items; those of a bundle made by training come the most popular first. */
  readonly items: readonly Item[];
  /** @internal What filters ask. */
  readonly fields: Fields;
  private readonly idOf: ReadonlyMap<string, number>;

  /** @param file items.json, parsed. */
  constructor(file: ItemsFile) {
    // As maps: a key may be called like a member that every object has.
    const titles = new Map(Object.entries(file.titles ?? {}));
    const images = new Map(Object.entries(file.images ?? {}));
    const fields = Object.entries(file.fields ?? {}).map(
      ([name, values]) => [name, new Map(Object.entries(values))] as const,
    );
    this.items = file.keys.map(String).map((key) => ({
      key,
      title: titles.get(key) ?? null,
      fields: Object.fromEntries(
        fields.flatMap(([name, values]) => (values.has(key) ? [[name, values.get(key)!]] : [])),
      ),
      image: images.get(key) ?? null,
    }));
    const names = fields.map(([name]) => name);
    this.fields = new Fields(names, this.items);
    this.idOf = new Map(this.items.map(({ key }, position) => [key, position + 1]));
  }

  get size(): number {
    return this.items.length;
  }

  /** The item of an id; undefined for padding and for reserved places. */
  item(id: number): Item | undefined {
    return this.items[id - 1];
  }

  /** The id of a key; undefined: it is not in the catalogue. */
  find(key: string): number | undefined {
    return this.idOf.get(key);
  }

  /**
   * The id of a key; null if it is to be skipped.
   *
   * @throws GlintError `unknown-item`
   */
  id(key: string, unknown: UnknownItems): number | null {
    const id = this.find(key);
    if (id !== undefined) return id;
    if (unknown === 'skip') return null;
    throw new GlintError(
      'unknown-item',
      `item ${JSON.stringify(key)} is not in the catalogue; leave it out, or load with unknown: 'skip'`,
    );
  }
}
