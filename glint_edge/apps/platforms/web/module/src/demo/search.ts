/** The search field: a combobox by the ARIA Authoring Practices, with its list of titles. */

import type { Item } from '../glint-edge';
import { nameOf } from './elements';

const MATCHES = 8;

interface Entry {
  readonly item: Item;
  readonly title: string;
  readonly key: string;
}

/** Titles and keys without case and accents, to search in. */
export function index(items: readonly Item[]): Entry[] {
  return items.map((item) => ({ item, title: plain(nameOf(item)), key: plain(item.key) }));
}

/** The nearest items that hold every word, in any order; of equally near ones the catalogue's first. */
export function find(entries: readonly Entry[], text: string): Item[] {
  const words = plain(text).split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return [];
  const nearest: Entry[][] = [[], [], [], []];
  for (const entry of entries) nearest[distance(entry, words)]?.push(entry);
  return nearest.flat().slice(0, MATCHES).map(({ item }) => item);
}

/** How far an item is from what was typed: 0 is nearest, 3 needs its key, 4 does not match. */
function distance({ title, key }: Entry, words: readonly string[]): number {
  const begins = (text: string) => ` ${title}`.includes(` ${text}`);
  if (begins(words.join(' ')) || key === words.join(' ')) return 0;
  if (words.every(begins)) return 1;
  if (words.every((word) => title.includes(word))) return 2;
  return words.every((word) => title.includes(word) || key.includes(word)) ? 3 : 4;
}

/**
 * Make an input and a list a search for items; `nothing` says so where none matches.
 *
 * @returns what takes the items to search in.
 */
export function attachSearch(
  input: HTMLInputElement,
  list: HTMLUListElement,
  nothing: HTMLElement,
  choose: (item: Item) => void,
): (items: readonly Item[]) => void {
  let items: readonly Item[] = [];
  let entries: Entry[] | null = null; // made when somebody searches
  let found: Item[] = [];
  let active = -1;

  function show(matches: Item[], text = '') {
    found = matches;
    nothing.textContent = text === '' || found.length > 0 ? '' : `Nothing found for “${text}”.`;
    list.replaceChildren(...found.map(option));
    list.hidden = found.length === 0;
    input.setAttribute('aria-expanded', String(found.length > 0));
    activate(found.length > 0 ? 0 : -1);
  }

  function option(item: Item, place: number): HTMLLIElement {
    const element = document.createElement('li');
    element.id = `match-${place}`;
    element.setAttribute('role', 'option');
    element.dir = 'auto';
    element.textContent = nameOf(item);
    element.onpointerdown = (event) => event.preventDefault(); // the input keeps the focus
    element.onclick = () => take(place);
    return element;
  }

  function activate(place: number) {
    active = place;
    [...list.children].forEach((child, i) => {
      child.setAttribute('aria-selected', String(i === place));
      if (i === place) child.scrollIntoView({ block: 'nearest' });
    });
    if (place < 0) input.removeAttribute('aria-activedescendant');
    else input.setAttribute('aria-activedescendant', `match-${place}`);
  }

  function take(place: number) {
    const item = found[place];
    if (item === undefined) return;
    input.value = '';
    show([]);
    choose(item);
  }

  const keys: Record<string, () => void> = {
    ArrowDown: () => activate((active + 1) % found.length),
    ArrowUp: () => activate((active - 1 + found.length) % found.length),
    Enter: () => take(active),
    Escape: () => show([]),
  };
  const search = () => show(find((entries ??= index(items)), input.value), input.value.trim());
  input.addEventListener('input', search);
  input.addEventListener('focus', search);
  input.addEventListener('blur', () => show([]));
  input.addEventListener('keydown', (event) => {
    const act = keys[event.key];
    if (act === undefined || found.length === 0) return;
    event.preventDefault();
    act();
  });
  return (other) => {
    items = other;
    entries = null;
  };
}

function plain(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase();
}
