/** Small elements, and what a person reads in them: texts of a catalogue are never markup. */

import type { Item } from '../glint-edge';

/** The title, or the key of an item without one. */
export function nameOf(item: Item): string {
  return item.title ?? item.key;
}

/** A field's name as a heading. */
export function headingOf(field: string): string {
  const words = field.replace(/[_-]+/g, ' ').trim();
  return words === '' ? field : words[0]!.toLocaleUpperCase() + words.slice(1);
}

/** A time; browsers round their clock to 0.1 ms. */
export function duration(ms: number): string {
  return ms < 1 ? `${Math.max(100, Math.round(ms * 10) * 100)} µs` : `${ms.toFixed(1)} ms`;
}

/** A text in a span, in its own direction. */
export function part(kind: string, text: string): HTMLElement {
  const span = document.createElement('span');
  span.className = kind;
  span.dir = 'auto';
  span.textContent = text;
  return span;
}

/** Words for who hears the page. */
export function unseen(text: string): HTMLElement {
  const span = document.createElement('span');
  span.className = 'unseen';
  span.textContent = text;
  return span;
}

export function pressable(kind: string, press: () => void): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = kind;
  button.onclick = press;
  return button;
}

export function listItem(...children: HTMLElement[]): HTMLLIElement {
  const item = document.createElement('li');
  item.append(...children);
  return item;
}
