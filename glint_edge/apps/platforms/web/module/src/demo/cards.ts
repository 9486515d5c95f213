/** The list as cards: what it is, what else is known of it, and "more like this". */

import type { Item } from '../glint-edge';
import { coverOf } from './cover';
import { listItem, nameOf, part, pressable, unseen } from './elements';

/** What a card's buttons do. */
export interface CardActions {
  readonly take: (item: Item) => void;
  readonly like: (item: Item) => void;
}

/** Show items; a card whose place keeps its item stays, and its buttons do, so that the focus does. */
export function showCards(list: HTMLOListElement, items: readonly Item[], actions: CardActions) {
  while (list.children.length > items.length) list.lastElementChild?.remove();
  items.forEach((item, place) => {
    const card = (list.children[place] ?? list.appendChild(emptyCard())) as HTMLLIElement;
    if (card.dataset['key'] !== item.key) fill(card, item, actions);
  });
}

/** Let go of cards whose items another bundle may tell otherwise. */
export function clearCards(list: HTMLOListElement) {
  list.replaceChildren();
}

function emptyCard(): HTMLLIElement {
  return listItem(
    pressable('take', () => {}),
    pressable('like', () => {}),
  );
}

function fill(card: HTMLLIElement, item: Item, { take, like }: CardActions) {
  const [taking, liking] = card.querySelectorAll('button');
  card.dataset['key'] = item.key;
  taking!.replaceChildren(coverOf(item), wordsOf(item));
  taking!.onclick = () => take(item);
  liking!.replaceChildren('More like this', unseen(`: ${nameOf(item)}`));
  liking!.onclick = () => like(item);
}

function wordsOf(item: Item): HTMLElement {
  const words = part('words', '');
  const more = Object.values(item.fields).join(' · ');
  words.append(part('title', nameOf(item)), ...(more === '' ? [] : [part('more', more)]));
  return words;
}
