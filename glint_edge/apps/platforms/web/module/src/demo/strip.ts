/** The history as a strip, the newest first: each item with a button that removes it. */

import type { Item } from '../glint-edge';
import { coverOf } from './cover';
import { listItem, nameOf, part, pressable, unseen } from './elements';

/** Older items count, too; to see them all at once helps nobody. */
const MOST = 50;

/**
 * Show a history.
 *
 * @param history the oldest first.
 * @param remove takes a place in it.
 * @param otherwise has the focus when its last button is gone.
 */
export function showStrip(
  strip: HTMLOListElement,
  history: readonly Item[],
  remove: (place: number) => void,
  otherwise: HTMLElement,
) {
  const buttons = () => [...strip.querySelectorAll('button')];
  const focused = buttons().indexOf(document.activeElement as HTMLButtonElement);
  const places = [...history.keys()].reverse().slice(0, MOST);
  const rows = document.createDocumentFragment();
  for (const place of places) rows.append(row(history[place]!, () => remove(place)));
  const older = history.length - places.length;
  if (older > 0) rows.append(listItem(part('older', `and ${older} more`)));
  strip.replaceChildren(rows);
  // Who removes items by keyboard stays where they are.
  if (focused >= 0) (buttons()[Math.min(focused, places.length - 1)] ?? otherwise).focus();
}

function row(item: Item, remove: () => void): HTMLLIElement {
  const button = pressable('remove', remove);
  const cross = part('cross', '×');
  cross.setAttribute('aria-hidden', 'true');
  button.append(cross, unseen(`Remove ${nameOf(item)}`));
  return listItem(coverOf(item), part('title', nameOf(item)), button);
}
