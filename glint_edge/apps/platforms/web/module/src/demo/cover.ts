/** An item's picture; under it, and where there is none, a cover drawn from its key and title. */

import { PICTURES } from '../config';
import type { Item } from '../glint-edge';
import { nameOf } from './elements';

const SVG = 'http://www.w3.org/2000/svg';
/** Of a colour wheel: far enough apart to tell neighbours by. */
const HUES = [14, 36, 92, 158, 192, 216, 258, 324];

/** Without words: the title stands beside it. */
export function coverOf(item: Item): HTMLElement {
  const cover = document.createElement('span');
  cover.className = 'cover';
  cover.setAttribute('aria-hidden', 'true');
  cover.append(drawing(item));
  if (item.image !== null && isAllowed(item.image)) cover.append(pictureAt(item.image, cover));
  return cover;
}

/** Whether this page's Content-Security-Policy lets a picture be loaded. */
function isAllowed(address: string): boolean {
  try {
    const { origin, protocol } = new URL(address);
    return PICTURES.includes(origin) || PICTURES.includes(protocol);
  } catch {
    return false;
  }
}

/** Loaded when it comes near the screen; its server is not told of this page. */
function pictureAt(address: string, cover: HTMLElement): HTMLImageElement {
  const picture = document.createElement('img');
  picture.alt = '';
  picture.loading = 'lazy';
  picture.decoding = 'async';
  picture.referrerPolicy = 'no-referrer';
  picture.onload = () => cover.classList.add('pictured');
  picture.onerror = () => picture.remove();
  picture.src = address;
  return picture;
}

/** The same for the same item: a colour and two discs by its key, and its title's initials. */
function drawing(item: Item): SVGElement {
  const seed = hash(item.key);
  const svg = shape('svg', { viewBox: '0 0 160 120', preserveAspectRatio: 'xMidYMid slice' });
  svg.style.setProperty('--hue', String(HUES[seed % HUES.length]));
  const across = (shift: number, size: number) => String((seed >>> shift) % size);
  const text = shape('text', { x: '80', y: '62' });
  text.textContent = initials(nameOf(item));
  svg.append(
    shape('rect', { width: '160', height: '120' }),
    shape('circle', { cx: across(3, 160), cy: across(9, 50), r: String(34 + ((seed >>> 5) % 30)) }),
    shape('circle', { cx: across(13, 160), cy: String(80 + ((seed >>> 19) % 40)), r: '46' }),
    text,
  );
  return svg;
}

function shape(name: string, attributes: Record<string, string>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Of the first two words, those before numbers: "SW" of "Star Wars (1977)", "7" of "7". */
export function initials(name: string): string {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? name.match(/\S/u) ?? [];
  const named = words.filter((word) => /^\p{L}/u.test(word));
  const chosen = (named.length > 0 ? named : words).slice(0, 2);
  return chosen.map((word) => [...word][0]!.toLocaleUpperCase()).join('');
}

/** FNV-1a, of 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) {
    value = Math.imul(value ^ character.codePointAt(0)!, 0x01000193);
  }
  value ^= value >>> 15; // the last character reaches every bit
  return Math.imul(value, 0x2c1b3c6d) >>> 0;
}
