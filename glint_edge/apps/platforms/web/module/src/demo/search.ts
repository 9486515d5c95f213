/** The search field: a combobox by the ARIA Authoring Practices, with its list of titles. */

import type { Item } from '../glint-edge';
import { nameOf } from './elements';

const MATCHES = 8;

interface Entry {
  readonly item: Item;
  readonly plain: string;
}

/** Titles without case and accents, to search in. */
export function index(items: readonly Item[]): Entry[] {
  return items.map((item) => ({ item, plain: plain(nameOf(item)) }));
}

/** The first items that match, in the catalogue's order; a word's beginning goes first. */
export function find(entries: readonly Entry[], text: string): Item[] {
  const wanted = plain(text).trim();
  if (wanted === '') return [];
  const matching = entries.filter((entry) => entry.plain.includes(wanted));
  const begins = (entry: Entry) => ` ${entry.plain}`.includes(` ${wanted}`);
  const ordered = [...matching.filter(begins), ...matching.filter((entry) => !begins(entry))];
  return ordered.slice(0, MATCHES).map(({ item }) => item);
}

/**
 * Make an input and a list a search for items.
 *
 * @returns what takes the items to search in.
 */
export function attachSearch(
  input: HTMLInputElement,
  list: HTMLUListElement,
  choose: (item: Item) => void,
): (items: readonly Item[]) => void {
  let items: readonly Item[] = [];
  let entries: Entry[] | null = null; // made when somebody searches
  let found: Item[] = [];
  let active = -1;

  function show(matches: Item[]) {
    found = matches;
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
  const search = () => show(find((entries ??= index(items)), input.value));
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
