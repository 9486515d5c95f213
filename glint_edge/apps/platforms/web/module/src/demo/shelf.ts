/** What a bundle has before any runtime is loaded: its items, the most popular first. */

import { type BundleSource, Catalogue, type Item, type Manifest } from '../glint-edge';
import { readChecked, readManifest } from '../glint-edge/bundle';
import { parseItems } from '../glint-edge/catalogue';
import { passes, type Where } from './filters';

export interface Shelf {
  readonly manifest: Manifest;
  readonly catalogue: Catalogue;
  /** Those on offer, as the model lists them for somebody without a history. */
  readonly items: readonly Item[];
}

/** Read a bundle's manifest and items. */
export async function openShelf(source: BundleSource): Promise<Shelf> {
  const manifest = await readManifest(source);
  const bytes = await readChecked(source, manifest, 'items.json');
  const file = parseItems(bytes, `${source.place}items.json`, manifest.model.items);
  const catalogue = new Catalogue(file);
  const gone = new Set((file.retired ?? []).map(String));
  return { manifest, catalogue, items: catalogue.items.filter(({ key }) => !gone.has(key)) };
}

/** The most popular items under the page's filters. */
export function popular(
  shelf: Shelf,
  k: number,
  { where = {}, without }: { where: Where | undefined; without: readonly string[] },
): Item[] {
  const left = new Set(without);
  const list: Item[] = [];
  for (const item of shelf.items) {
    if (list.length === k) break;
    if (!left.has(item.key) && passes(item, where)) list.push(item);
  }
  return list;
}

/** A source whose manifest and items are asked for once, by the shelf and then by the library. */
export function readingOnce(source: BundleSource): BundleSource {
  const kept = new Map<string, ReturnType<BundleSource['read']>>();
  return {
    place: source.place,
    read(file) {
      if (file !== 'manifest.json' && file !== 'items.json') return source.read(file);
      const content = kept.get(file) ?? source.read(file);
      kept.set(file, content);
      return content;
    },
  };
}
