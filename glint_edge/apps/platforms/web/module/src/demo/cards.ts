/** The list as cards: what it is, what else is known of it, and "more like this". */

import type { Item } from '../glint-edge';
import { coverOf } from './cover';
import { listItem, nameOf, part, pressable, unseen } from './elements';

/** An item, and that of the history whose neighbour it is; null: it is none's. */
export interface Card {
  readonly item: Item;
  readonly because: Item | null;
}

/** What a card's buttons do. */
export interface CardActions {
  readonly take: (item: Item) => void;
  readonly like: (item: Item) => void;
}

/** Show items; a card whose place keeps its item stays, and its buttons do, so that the focus does. */
export function showCards(list: HTMLOListElement, cards: readonly Card[], actions: CardActions) {
  while (list.children.length > cards.length) list.lastElementChild?.remove();
  cards.forEach(({ item, because }, place) => {
    const card = (list.children[place] ?? list.appendChild(emptyCard())) as HTMLLIElement;
    if (card.dataset['key'] !== item.key) fill(card, item, actions);
    giveReason(card, because);
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

function giveReason(card: HTMLLIElement, because: Item | null) {
  card.querySelector('.because')?.remove();
  if (because === null) return;
  const reason = part('because', `because you tapped ${nameOf(because)}`);
  card.querySelector('.words')!.append(reason);
}

function wordsOf(item: Item): HTMLElement {
  const words = part('words', '');
  const more = Object.values(item.fields).join(' · ');
  words.append(part('title', nameOf(item)), ...(more === '' ? [] : [part('more', more)]));
  return words;
}
