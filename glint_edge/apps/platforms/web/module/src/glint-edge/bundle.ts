/** Reading a bundle: its manifest, and its files, each checked by size and sha256. */

import {
  FILE,
  isList,
  isMatch,
  isObject,
  isText,
  isWhole,
  NAME,
  parseJson,
  requireForm,
  SHA256,
} from './documents';
import { GlintError, reasonOf } from './errors';

export const SCHEMA_VERSION = 2;
export const MOST_ITEMS = 1e8;
const MOST_STEPS = 1e6;
const MOST_FLOATS = 2 ** 28;
/** Of the item table: padding and the unknown item. */
const MORE_ROWS = 2;
const MOST_BYTES = 1e12;
/**
 * From this share of repeating targets on, people take an item again. Ratings and reviews have
 * none, but for a row written twice; shops, music and news 10 to 60 %.
 */
const REPEATS_FROM = 0.01;

/** What this library reads of manifest.json. */
export interface Manifest {
  readonly schema_version: number;
  readonly name: string;
  readonly digest: string;
  readonly created?: string;
  readonly top_k: number;
  readonly window: 'sliding' | 'unbounded';
  readonly model: {
    readonly items: number;
    readonly max_length: number;
    /** `reference`: an imported model, which computes what its authors' code does. */
    readonly padding?: 'masked' | 'reference';
  };
  readonly state: { readonly shape: readonly [1, number] };
  readonly methods: {
    readonly append_many: Method;
    readonly recommend: Method;
    readonly similar: Method;
  };
  readonly artifacts: readonly { readonly target: string; readonly file: string }[];
  readonly data?: {
    readonly attribution?: string;
    /** Share of the log's targets that repeat an item of their user's; null: not known. */
    readonly repeats?: number | null;
  };
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
  /** In an app: the bundle of which its own is the part that it runs. */
  readonly part_of?: { readonly manifest_sha256: string };
}

interface Method {
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** Where a bundle's files come from: a folder on a server, a cache, an app's own assets. */
export interface BundleSource {
  /** For error messages: the address or name of the bundle. */
  readonly place: string;
  read(file: string): Promise<Uint8Array<ArrayBuffer>>;
}

/** A bundle's folder by its address. */
export function fromUrl(folder: string | URL): BundleSource {
  const text = new URL(folder, document.baseURI).href;
  const base = text.endsWith('/') ? text : `${text}/`;
  return { place: base, read: (file) => download(new URL(encodeURIComponent(file), base)) };
}

/**
 * Get a file whole.
 *
 * @throws GlintError `unavailable`: the server has none, or cannot be reached.
 */
export async function download(
  address: URL,
  options?: RequestInit,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(address, options);
    if (!response.ok) throw new Error(`the server says ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new GlintError(
      'unavailable',
      `${address.href} cannot be loaded (${reasonOf(error)}); check the address and the connection`,
      { cause: error },
    );
  }
}

/**
 * Read a bundle's manifest.
 *
 * @throws GlintError `damaged` or `upgrade`.
 */
export async function readManifest(source: BundleSource): Promise<Manifest> {
  return parseManifest(await source.read('manifest.json'), source.place);
}

/**
 * The same from its bytes.
 *
 * @throws GlintError `damaged` or `upgrade`.
 */
export function parseManifest(bytes: Uint8Array, place: string): Manifest {
  const manifest = parseJson(bytes, `${place}manifest.json`) as Partial<Manifest> | null;
  const version = manifest?.schema_version;
  if (Number.isInteger(version) && (version as number) > SCHEMA_VERSION) {
    throw new GlintError(
      'upgrade',
      `${place} has schema version ${version}, this app reads ${SCHEMA_VERSION}; upgrade the app`,
    );
  }
  if (Number.isInteger(version) && (version as number) > 0 && (version as number) < SCHEMA_VERSION) {
    throw new GlintError(
      'damaged',
      `${place} was exported by an earlier glint-edge, without filters; export it again`,
    );
  }
  return requireForm(manifest, `${place}manifest.json`, isManifest);
}

function isManifest(manifest: Manifest): boolean {
  const { model, state, files, artifacts } = manifest;
  const { append_many, recommend, similar } = manifest.methods;
  const sums = Object.values(files);
  return (
    manifest.schema_version === SCHEMA_VERSION &&
    isMatch(manifest.digest, SHA256) &&
    isMatch(manifest.name, NAME) &&
    ['sliding', 'unbounded'].includes(manifest.window) &&
    isWhole(model.max_length, 1, MOST_STEPS) &&
    isWhole(model.items, 1, MOST_ITEMS) &&
    [undefined, 'masked', 'reference'].includes(model.padding) &&
    isWhole(manifest.top_k, 1, Math.min(model.items, MOST_STEPS)) &&
    isShape(state.shape) &&
    [append_many, recommend, similar].every(isMethod) &&
    isShape(shapeOf(append_many, 'items')) &&
    isShape(shapeOf(recommend, 'bias')) &&
    isShape(shapeOf(similar, 'bias')) &&
    rowsOf(manifest) >= model.items + MORE_ROWS &&
    shapeOf(similar, 'bias')[1] === rowsOf(manifest) &&
    artifacts.every(({ target, file }) => isText(target) && isMatch(file, FILE)) &&
    isObject(files) &&
    Object.keys(files).every((file) => isMatch(file, FILE)) &&
    sums.every(({ bytes, sha256 }) => isWhole(bytes, 0, MOST_BYTES) && isMatch(sha256, SHA256)) &&
    isData(manifest.data ?? {}) &&
    isMatch(manifest.part_of?.manifest_sha256 ?? manifest.digest, SHA256)
  );
}

/** Whether lists leave out all of the history, where nobody says: in a log without repeats. */
export function excludesSeen({ data }: Manifest): boolean {
  return (data?.repeats ?? 1) < REPEATS_FROM;
}

function isData(data: NonNullable<Manifest['data']>): boolean {
  const share: unknown = data.repeats ?? 0;
  return (
    isObject(data) &&
    ['undefined', 'string'].includes(typeof data.attribution) &&
    typeof share === 'number' &&
    share >= 0 &&
    share <= 1
  );
}

function isMethod({ inputs }: Method): boolean {
  return inputs.every(({ name, shape }) => isText(name) && shape.every(isSize));
}

/** The shape of a method's input; empty: it has none of this name. */
function shapeOf({ inputs }: Method, input: string): readonly number[] {
  return inputs.find(({ name }) => name === input)?.shape ?? [];
}

/** Items that an artifact with fixed shapes takes at once. */
export function chunkOf({ methods }: Manifest): number {
  return shapeOf(methods.append_many, 'items')[1] ?? 1;
}

/** Rows of the item table, of which each has a place in a bias: more than there are items. */
export function rowsOf({ methods }: Manifest): number {
  return shapeOf(methods.recommend, 'bias')[1] ?? 0;
}

/** Of a batch of one. */
function isShape(shape: readonly number[]): boolean {
  return isList(shape) && shape.length === 2 && shape.every(isSize);
}

/** That memory can hold. */
function isSize(value: unknown): boolean {
  return isWhole(value, 1, MOST_FLOATS);
}

/**
 * Read a file of a bundle and check it against the manifest.
 *
 * @throws GlintError `damaged`: it is not the file that was exported.
 */
export async function readChecked(
  source: BundleSource,
  manifest: Manifest,
  file: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await source.read(file);
  const wrong = await difference(bytes, manifest.files[file]);
  if (wrong !== null) {
    throw new GlintError('damaged', `${source.place}${file} ${wrong}; copy the bundle again`);
  }
  return bytes;
}

/** The bytes' sha256 in hex. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new GlintError(
      'unavailable',
      'the browser checks files only on https or localhost; serve the app there',
    );
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function difference(
  bytes: Uint8Array<ArrayBuffer>,
  expected: Manifest['files'][string] | undefined,
): Promise<string | null> {
  if (expected === undefined) return 'is not in its manifest';
  if (bytes.length !== expected.bytes) {
    return `has ${bytes.length} bytes, its manifest says ${expected.bytes}`;
  }
  if ((await sha256(bytes)) !== expected.sha256) {
    return 'is damaged: its sha256 is not what its manifest says';
  }
  return null;
}
