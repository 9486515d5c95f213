/**
 * Replacing a bundle over the air: everything is downloaded and checked beside the version in use,
 * tried, and only then pointed to. Whatever stops that half way leaves the old version in use.
 *
 * Each version is a cache of its own, named by its manifest's sha256. The pointer is an entry of
 * another cache; a new one gets a new name and the old one is deleted after it, so that there is a
 * whole one at any time. While it cannot be read, nothing is deleted, and what is whole is used.
 */

import { type BundleSource, download, parseManifest, readChecked, sha256 } from './bundle';
import { isMatch, parseJson, SHA256 } from './documents';
import { GlintError } from './errors';

/** What the server's latest.json says. */
export interface Latest {
  readonly name: string;
  /** The bundle's folder, relative to latest.json. */
  readonly path: string;
  readonly manifest_sha256: string;
  /** When it was announced, as `glint-edge publish` writes it. */
  readonly published?: string;
  readonly bytes: number;
}

/** Versions by their manifest's sha256; null: the one that the app came with. */
interface Pointer {
  readonly current: string | null;
  readonly previous: string | null;
  /** When the server announced the current one. */
  readonly published?: string | null;
}

export interface UpdateOptions {
  /** Also take what was announced before the version in use was. */
  readonly older?: boolean;
}

const VERSION_CACHE = 'glint-edge-version-';
const POINTER_CACHE = 'glint-edge-pointer';
const LOCK = 'glint-edge-update';
const NEVER_CACHED: RequestInit = { cache: 'no-store' };
/** Of a folder below latest.json's. */
const PATH = /^[A-Za-z0-9_][A-Za-z0-9_.+ -]*(\/[A-Za-z0-9_+ -][A-Za-z0-9_.+ -]*)*$/;
const LONGEST_PATH = 4096;
/** Times of this form sort as text. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/;
const NONE: Pointer = { current: null, previous: null };

export class BundleStore {
  /** @param builtIn the version that the app came with: what works if all else fails. */
  constructor(private readonly builtIn: BundleSource) {}

  /**
   * Load the current version; if it cannot be, the last good one, and then the app's own.
   *
   * @param load such as `(source) => Recommender.load(source, options)`. Whatever it throws, the
   *   next version is tried; what it throws for the app's own is for the caller.
   */
  async open<T>(load: (source: BundleSource) => Promise<T>): Promise<T> {
    for (const version of await this.kept()) {
      try {
        return await load(stored(version));
      } catch (error) {
        console.warn('an older bundle is used:', error);
        if (error instanceof GlintError && error.code === 'damaged') await forget(version);
      }
    }
    return load(this.builtIn);
  }

  /**
   * Look for a newer version, and take it if it passes.
   *
   * @param latest the address of latest.json.
   * @param check loads the new version and throws if it must not be used; see `replayGolden`.
   * @param options what else to take.
   * @returns whether there is a new version; `open` gives it, and sessions begin from history.
   * @throws GlintError what was wrong with it; the version in use stays.
   */
  async update(
    latest: string | URL,
    check: (source: BundleSource) => Promise<void>,
    options: UpdateOptions = {},
  ): Promise<boolean> {
    const address = new URL(latest, document.baseURI);
    return await navigator.locks.request(LOCK, () => this.fetchLatest(address, check, options));
  }

  private async fetchLatest(
    address: URL,
    check: (source: BundleSource) => Promise<void>,
    { older = false }: UpdateOptions,
  ): Promise<boolean> {
    const latest = parseLatest(await download(address, NEVER_CACHED), address);
    const version = latest.manifest_sha256;
    const announced = timeOf(latest.published);
    const read = await readPointer();
    const pointer = read ?? (await pointerToWhole());
    const { current, previous } = pointer;
    const newest = timeOf(pointer.published);
    if (version === current || version === (await manifestSha256(this.builtIn, current))) {
      const last = [newest ?? '', announced ?? ''].sort().at(-1) || null;
      if (read === null || last !== newest) {
        await writePointer({ current, previous, published: last });
      }
      return false;
    }
    const since = newest ?? (await createdOf(current === null ? this.builtIn : stored(current)));
    if (!older) refuseOlder(announced, since);
    // No version is pointed to while it is being written.
    const before = version === previous ? null : previous;
    await writePointer({ current, previous: before, published: newest });
    try {
      await stage(latest, address);
      if (!older && announced === null) refuseOlder(await createdOf(stored(version)), since);
      await check(stored(version));
    } catch (error) {
      await caches.delete(VERSION_CACHE + version);
      throw error;
    }
    await writePointer({ current: version, previous: current, published: announced });
    await deleteUnused();
    return true;
  }

  /** The versions to try, the newest first: none where the browser keeps nothing. */
  private async kept(): Promise<string[]> {
    try {
      await this.cleanUp();
      const { current, previous } = (await readPointer()) ?? (await pointerToWhole());
      return [current, previous].filter((version): version is string => version !== null);
    } catch (error) {
      console.warn("the app's own bundle is used:", error);
      return [];
    }
  }

  /** Delete what an update left behind that was stopped half way. */
  private async cleanUp(): Promise<void> {
    // Another tab may be in the middle of one; its lock is gone when the tab is.
    await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
      if (lock !== null) await deleteUnused();
    });
  }
}

/** The app's own version needs no download if nothing has replaced it. */
async function manifestSha256(
  builtIn: BundleSource,
  current: string | null,
): Promise<string | null> {
  if (current !== null) return null;
  const bytes = await builtIn.read('manifest.json');
  return parseManifest(bytes, builtIn.place).part_of?.manifest_sha256 ?? sha256(bytes);
}

function parseLatest(bytes: Uint8Array, address: URL): Latest {
  const latest = parseJson(bytes, address.href) as Partial<Latest> | null;
  const { path = '', manifest_sha256 } = latest ?? {};
  if (!isMatch(path, PATH) || path.length > LONGEST_PATH || !isMatch(manifest_sha256, SHA256)) {
    throw new GlintError('damaged', `${address.href} names no bundle below its folder; publish it again`);
  }
  return latest as Latest;
}

function timeOf(value: unknown): string | null {
  return typeof value === 'string' && TIME.test(value) ? value : null;
}

/** When a bundle was made, as its manifest says; null: unknown. */
async function createdOf(source: BundleSource): Promise<string | null> {
  try {
    return timeOf(parseManifest(await source.read('manifest.json'), source.place).created);
  } catch {
    return null;
  }
}

/** Hold what a server announces to what is in use. */
function refuseOlder(announced: string | null, since: string | null): void {
  if (announced !== null && since !== null && announced < since) {
    throw new GlintError(
      'older',
      `the server announces a bundle of ${announced}, older than that in use (${since}); ` +
        'publish the one that is wanted again, or ask for the older one',
    );
  }
}

/** Download a version into its own cache: the manifest first, then each file that it lists. */
async function stage(latest: Latest, address: URL): Promise<void> {
  const folder = new URL(`${latest.path}/`, address);
  const server: BundleSource = {
    place: folder.href,
    read: (file) => download(new URL(encodeURIComponent(file), folder), NEVER_CACHED),
  };
  const bytes = await server.read('manifest.json');
  if ((await sha256(bytes)) !== latest.manifest_sha256) {
    throw new GlintError('damaged', `${folder.href}manifest.json is damaged; try again later`);
  }
  const manifest = parseManifest(bytes, folder.href);
  const version = latest.manifest_sha256;
  const cache = await caches.open(VERSION_CACHE + version);
  for (const file of Object.keys(manifest.files)) {
    const content = await readChecked(server, manifest, file);
    await cache.put(addressOf(version, file), new Response(content));
  }
  await cache.put(addressOf(version, 'manifest.json'), new Response(bytes));
}

/** A version that was downloaded, as a bundle. */
function stored(version: string): BundleSource {
  const place = addressOf(version, '');
  return {
    place,
    async read(file) {
      const cache = await caches.open(VERSION_CACHE + version);
      const response = await cache.match(addressOf(version, file));
      if (response === undefined) {
        throw new GlintError('damaged', `${place}${file} is missing; the browser removed it`);
      }
      return new Uint8Array(await response.arrayBuffer());
    },
  };
}

/** Nothing is ever served there: a cache's entries must have addresses. */
function addressOf(version: string, file: string): string {
  return new URL(`/.glint-edge/${version}/${encodeURIComponent(file)}`, location.origin).href;
}

/** What the pointer says; null: it is there and cannot be read. */
async function readPointer(): Promise<Pointer | null> {
  const cache = await caches.open(POINTER_CACHE);
  const [newest] = await pointers(cache);
  if (newest === undefined) return NONE;
  try {
    const pointer = (await (await cache.match(newest.entry))!.json()) as Pointer;
    const versions = [pointer.current, pointer.previous];
    return versions.every((each) => each === null || isMatch(each, SHA256)) ? pointer : null;
  } catch {
    return null;
  }
}

/** The newest two that are here as a whole, where the pointer does not say. */
async function pointerToWhole(): Promise<Pointer> {
  console.warn('the pointer cannot be read: what is whole is used');
  const whole: string[] = [];
  for (const name of (await caches.keys()).reverse()) {
    if (!name.startsWith(VERSION_CACHE)) continue;
    const version = name.slice(VERSION_CACHE.length);
    // It is written last, when all other files are there.
    const manifest = await (await caches.open(name)).match(addressOf(version, 'manifest.json'));
    if (manifest !== undefined) whole.push(version);
  }
  return { current: whole[0] ?? null, previous: whole[1] ?? null };
}

/** A version is damaged: the next update fetches it again. */
async function forget(version: string): Promise<void> {
  const pointer = await readPointer();
  if (pointer === null) return;
  const { current, previous } = pointer;
  const [first = null, second = null] = [current, previous].filter((each) => each !== version);
  await writePointer({ ...pointer, current: first, previous: second });
  await caches.delete(VERSION_CACHE + version);
}

async function writePointer(pointer: Pointer): Promise<void> {
  const cache = await caches.open(POINTER_CACHE);
  const old = await pointers(cache);
  const next = (old[0]?.number ?? 0) + 1;
  await cache.put(addressOf('pointer', String(next)), new Response(JSON.stringify(pointer)));
  for (const { entry } of old) await cache.delete(entry);
}

/** The pointer's entries, the newest first; more than one only if the last swap was stopped. */
async function pointers(cache: Cache) {
  const entries = (await cache.keys()).map((entry) => ({
    entry,
    number: Number(entry.url.split('/').at(-1)),
  }));
  return entries.sort((one, other) => other.number - one.number);
}

async function deleteUnused(): Promise<void> {
  const pointer = await readPointer();
  if (pointer === null) return; // which versions are in use is not known
  const { current, previous } = pointer;
  const used = [current, previous].map((version) => VERSION_CACHE + version);
  for (const name of await caches.keys()) {
    if (name.startsWith(VERSION_CACHE) && !used.includes(name)) await caches.delete(name);
  }
}
