/**
 * A session as bytes, the same on every platform; all numbers little endian.
 *
 *     0   "GLINTSES"
 *     8   u32 version of this format, 1
 *     12  u32 n, items in the history
 *     16  32 bytes: the bundle's digest
 *     48  u32 S, floats of the state
 *     52  S × float32 state, then n × int32 ids, the oldest first
 *     end u32 CRC-32 of everything before it
 */

import { GlintError } from './errors';

export interface SessionBytes {
  /** The bundle's digest, 64 hex digits. */
  readonly digest: string;
  readonly state: Float32Array;
  readonly ids: readonly number[];
}

const MAGIC = new TextEncoder().encode('GLINTSES');
const VERSION = 1;
const HEADER = 52;

/**
 * What of a history still counts: its last items, and before them, in order, each other item that
 * was seen, where it came last.
 *
 * @param window how many of its last items; a history that is no longer stays as it is.
 */
export function whatCounts(ids: readonly number[], window: number): readonly number[] {
  if (ids.length <= window) return ids;
  const begin = ids.length - window;
  const last = new Map(ids.map((id, place) => [id, place]));
  return ids.filter((id, place) => place >= begin || last.get(id) === place);
}

/** Write a session. */
export function encodeSession({ digest, state, ids }: SessionBytes): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + 4 * (state.length + ids.length) + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, ids.length, true);
  for (let i = 0; i < 32; i++) bytes[16 + i] = parseInt(digest.slice(2 * i, 2 * i + 2), 16);
  view.setUint32(48, state.length, true);
  state.forEach((value, i) => view.setFloat32(HEADER + 4 * i, value, true));
  const history = HEADER + 4 * state.length;
  ids.forEach((id, i) => view.setInt32(history + 4 * i, id, true));
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true);
  return bytes;
}

/**
 * Read a session.
 *
 * @param expected what the loaded bundle has: its digest, the state's size, items in its catalogue.
 * @throws GlintError `damaged`, `upgrade` or `other-model`.
 */
export function decodeSession(
  bytes: Uint8Array,
  expected: { readonly digest: string; readonly state: number; readonly items: number },
): SessionBytes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER + 4 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw damaged('it is no saved session, or the end is missing');
  }
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw new GlintError(
      'upgrade',
      `the saved session has format version ${version}, this app reads ${VERSION}; ` +
        'upgrade the app, or start again from the history',
    );
  }
  if (view.getUint32(bytes.length - 4, true) !== crc32(bytes.subarray(0, -4))) {
    throw damaged('its checksum does not match');
  }
  const digest = Array.from(bytes.subarray(16, 48), (b) => b.toString(16).padStart(2, '0')).join('');
  if (digest !== expected.digest) {
    throw new GlintError(
      'other-model',
      'the saved session is of another model; start again from the history',
    );
  }
  return { digest, ...readBody(view, expected) };
}

function readBody(view: DataView, expected: { state: number; items: number }) {
  const size = view.getUint32(48, true);
  const count = view.getUint32(12, true);
  if (size !== expected.state || view.byteLength !== HEADER + 4 * (size + count) + 4) {
    throw damaged('its sizes are not those of this model');
  }
  const state = Float32Array.from({ length: size }, (_, i) => view.getFloat32(HEADER + 4 * i, true));
  const ids = Array.from({ length: count }, (_, i) =>
    view.getInt32(HEADER + 4 * (size + i), true),
  );
  const outside = ids.find((id) => id < 1 || id > expected.items);
  if (outside !== undefined) throw damaged(`item ${outside} is not in the catalogue`);
  if (!state.every(Number.isFinite)) throw damaged('its state is not made of numbers');
  return { state, ids };
}

function damaged(reason: string): GlintError {
  return new GlintError(
    'damaged',
    `the saved session is damaged (${reason}); start again from the history`,
  );
}

/** zlib's CRC-32. */
export function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
