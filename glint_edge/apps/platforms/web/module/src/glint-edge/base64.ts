/** Bytes as text, for `localStorage` and JSON. */

import { GlintError } from './errors';

/** A call takes only so many arguments: in Safari some 65,000. */
const PIECE = 0x8000;

/** Bytes of any length in base64. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += PIECE) {
    text += String.fromCharCode(...bytes.subarray(start, start + PIECE));
  }
  return btoa(text);
}

/**
 * Inverse of `toBase64`.
 *
 * @throws GlintError `damaged`
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch (error) {
    throw new GlintError('damaged', 'the text is no base64; start again from the history', {
      cause: error,
    });
  }
}
