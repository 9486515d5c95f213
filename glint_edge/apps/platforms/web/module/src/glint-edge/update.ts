/**
 * Replacing a bundle over the air: everything is downloaded and checked beside the version in use,
 * tried, and only then pointed to. Whatever stops that half way leaves the old version in use.
 *
 * Each version is a cache of its own, named by its manifest's sha256. The pointer is an entry of
 * another cache; a new one gets a new name and the old one is deleted after it, so that there is a
 * whole one at any time.
 */

import { type BundleSource, download, parseJson, parseManifest, readChecked, sha256 } from './bundle';
import { GlintError } from './errors';

/** What the server's latest.json says. */
export interface Latest {
  readonly name: string;
  /** The bundle's folder, relative to latest.json. */
  readonly path: string;
  readonly manifest_sha256: string;
  readonly bytes: number;
}

/** Versions by their manifest's sha256; null: the one that the app came with. */
interface Pointer {
  readonly current: string | null;
  readonly previous: string | null;
}

const VERSION_CACHE = 'glint-edge-version-';
const POINTER_CACHE = 'glint-edge-pointer';
const LOCK = 'glint-edge-update';
const NEVER_CACHED: RequestInit = { cache: 'no-store' };

export class BundleStore {
  /** @param builtIn the version that the app came with: what works if all else fails. */
  constructor(private readonly builtIn: BundleSource) {}

  /**
   * Load the current version; if it is damaged, the last good one, and then the app's own.
   *
   * @param load such as `(source) => Recommender.load(source, options)`.
   */
  async open<T>(load: (source: BundleSource) => Promise<T>): Promise<T> {
    for (;;) {
      const { current, previous } = await this.pointer();
      if (current === null) return load(this.builtIn);
      try {
        return await load(stored(current));
      } catch (error) {
        if (!(error instanceof GlintError) || error.code !== 'damaged') throw error;
        await writePointer({ current: previous, previous: null });
        await caches.delete(VERSION_CACHE + current);
      }
    }
  }

  /**
   * Look for a newer version, and take it if it passes.
   *
   * @param latest the address of latest.json.
   * @param check loads the new version and throws if it must not be used; see `replayGolden`.
   * @returns whether there is a new version; `open` gives it, and sessions begin from history.
   * @throws GlintError what was wrong with it; the version in use stays.
   */
  async update(
    latest: string | URL,
    check: (source: BundleSource) => Promise<void>,
  ): Promise<boolean> {
    const address = new URL(latest, document.baseURI);
    return await navigator.locks.request(LOCK, () => this.fetchLatest(address, check));
  }

  private async fetchLatest(
    address: URL,
    check: (source: BundleSource) => Promise<void>,
  ): Promise<boolean> {
    const latest = parseLatest(await download(address, NEVER_CACHED), address);
    const version = latest.manifest_sha256;
    const { current, previous } = await readPointer();
    if (version === current || version === (await manifestSha256(this.builtIn, current))) {
      return false;
    }
    // No version is pointed to while it is being written.
    if (version === previous) await writePointer({ current, previous: null });
    try {
      await stage(latest, address);
      await check(stored(version));
    } catch (error) {
      await caches.delete(VERSION_CACHE + version);
      throw error;
    }
    await writePointer({ current: version, previous: current });
    await deleteUnused();
    return true;
  }

  /** Which versions are kept: none where the browser keeps nothing. */
  private async pointer(): Promise<Pointer> {
    try {
      await this.cleanUp();
      return await readPointer();
    } catch (error) {
      console.warn("the app's own bundle is used:", error);
      return { current: null, previous: null };
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
  return current === null ? sha256(await builtIn.read('manifest.json')) : null;
}

function parseLatest(bytes: Uint8Array, address: URL): Latest {
  const latest = parseJson(bytes, address.href) as Partial<Latest> | null;
  const { path, manifest_sha256 } = latest ?? {};
  if (typeof path !== 'string' || !/^[0-9a-f]{64}$/.test(String(manifest_sha256))) {
    throw new GlintError('damaged', `${address.href} names no bundle; publish it again`);
  }
  return latest as Latest;
}

/** Download a version into its own cache: the manifest first, then each file that it lists. */
async function stage(latest: Latest, address: URL): Promise<void> {
  const folder = new URL(latest.path.replace(/\/*$/, '/'), address);
  if (!folder.href.startsWith(new URL('.', address).href)) {
    throw new GlintError('damaged', `${address.href} names a folder elsewhere; publish it again`);
  }
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

async function readPointer(): Promise<Pointer> {
  const cache = await caches.open(POINTER_CACHE);
  for (const { entry } of await pointers(cache)) {
    const response = await cache.match(entry);
    if (response !== undefined) return (await response.json()) as Pointer;
  }
  return { current: null, previous: null };
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
  const { current, previous } = await readPointer();
  const used = [current, previous].map((version) => VERSION_CACHE + version);
  for (const name of await caches.keys()) {
    if (name.startsWith(VERSION_CACHE) && !used.includes(name)) await caches.delete(name);
  }
}
