/** The page's elements, and how each is filled. */

import { PICTURES } from '../config';
import type { Item, Recommendation } from '../glint-edge';

export interface Runtime {
  readonly name: string;
  /** The same page on another runtime, if it is here. */
  readonly other: { readonly name: string; readonly page?: string | undefined };
}

/** How many recommendations are shown. */
export const SHOWN = 10;

const TEMPLATE = `
<header>
  <h1>What next?</h1>
  <p id="runtime"></p>
</header>
<main>
  <p id="alert" role="alert" hidden></p>
  <section aria-labelledby="search-label" class="search">
    <label id="search-label" for="search">Add something you liked</label>
    <input id="search" type="search" role="combobox" autocomplete="off" spellcheck="false"
      placeholder="Type a title" aria-autocomplete="list" aria-expanded="false"
      aria-controls="matches" disabled />
    <ul id="matches" role="listbox" aria-label="Matching titles" hidden></ul>
  </section>
  <section aria-labelledby="history-label">
    <h2 id="history-label">Your history</h2>
    <p id="no-history">Nothing yet: search above, or tap a recommendation.</p>
    <ol id="history" aria-labelledby="history-label"></ol>
    <div class="row">
      <button id="undo" type="button" disabled>Undo</button>
      <button id="clear" type="button" disabled>Clear</button>
      <label class="switch"><input id="hide" type="checkbox" disabled />Hide what I have seen</label>
    </div>
  </section>
  <section aria-labelledby="top-label">
    <div class="row">
      <h2 id="top-label">Most popular</h2>
      <span id="latency"></span>
    </div>
    <ol id="top" aria-labelledby="top-label"></ol>
    <p id="fewer" hidden></p>
  </section>
  <p id="status" role="status">Loading the model …</p>
</main>
<footer>
  <details>
    <summary>About this model</summary>
    <p id="about"></p>
    <div class="row">
      <button id="check" type="button" disabled>Check the model</button>
      <button id="update" type="button" disabled>Look for a newer model</button>
    </div>
    <p id="checked" role="status"></p>
    <p><span id="leaves">Nothing leaves this device.</span>
      <span id="elsewhere">The same page on <a id="other"></a>.</span></p>
  </details>
</footer>`;

export type View = ReturnType<typeof createView>;

/** Build the page in `root`; every element is reached by its id. */
export function createView(root: HTMLElement, runtime: Runtime) {
  root.innerHTML = TEMPLATE;
  const find = <T extends HTMLElement>(id: string) => root.querySelector<T>(`#${id}`)!;
  find('runtime').textContent = `On your device, by ${runtime.name}`;
  if (PICTURES.length > 0) {
    const from = PICTURES.map((source) => source.replace(/^https?:\/\//, '')).join(', ');
    find('leaves').textContent = `Pictures are fetched (${from}); nothing else leaves this device.`;
  }
  const { name, page } = runtime.other;
  if (page === undefined) find('elsewhere').remove();
  else Object.assign(find<HTMLAnchorElement>('other'), { textContent: name, href: page });
  return {
    search: find<HTMLInputElement>('search'),
    matches: find<HTMLUListElement>('matches'),
    history: find<HTMLOListElement>('history'),
    noHistory: find('no-history'),
    undo: find<HTMLButtonElement>('undo'),
    clear: find<HTMLButtonElement>('clear'),
    hide: find<HTMLInputElement>('hide'),
    topLabel: find('top-label'),
    top: find<HTMLOListElement>('top'),
    fewer: find('fewer'),
    latency: find('latency'),
    status: find('status'),
    alert: find('alert'),
    about: find('about'),
    check: find<HTMLButtonElement>('check'),
    update: find<HTMLButtonElement>('update'),
    checked: find('checked'),
  };
}

/** Show the history; a press on an item removes it. */
export function showHistory(view: View, history: readonly Item[], remove: (place: number) => void) {
  const focused = [...view.history.querySelectorAll('button')].indexOf(
    document.activeElement as HTMLButtonElement,
  );
  const rows = document.createDocumentFragment();
  for (const [place, item] of history.entries()) {
    const title = nameOf(item);
    const button = pressable(() => remove(place));
    button.setAttribute('aria-label', `Remove ${title}`);
    button.append(part('title', title), part('cross', '×'));
    rows.append(listItem(button));
  }
  view.history.replaceChildren(rows);
  view.noHistory.hidden = history.length > 0;
  if (focused >= 0) focusNear(view, focused);
}

/** Who removes items by keyboard stays where they are. */
function focusNear(view: View, place: number) {
  const buttons = view.history.querySelectorAll('button');
  (buttons[Math.min(place, buttons.length - 1)] ?? view.search).focus();
}

/** Show recommendations; a press on one adds it. Buttons stay, so that the focus does. */
export function showTop(
  view: View,
  recommended: readonly Recommendation[],
  before: readonly Recommendation[],
  add: (item: Item) => void,
) {
  while (view.top.children.length > recommended.length) view.top.lastElementChild?.remove();
  recommended.forEach((item, place) => {
    const row = view.top.children[place] ?? view.top.appendChild(listItem(pressable(() => {})));
    const button = row.querySelector('button')!;
    button.onclick = () => add(item);
    button.dataset['key'] = item.key;
    const was = before.findIndex(({ key }) => key === item.key);
    button.replaceChildren(...shown(item), ...movement(was, place, before.length > 0));
  });
}

/** What the bundle tells of an item: its title; below it its fields, beside it its picture. */
function shown(item: Item): HTMLElement[] {
  const title = part('title', nameOf(item));
  const more = Object.values(item.fields).join(' · ');
  const picture = item.image !== null && isAllowed(item.image) ? [pictureAt(item.image)] : [];
  if (more === '' && picture.length === 0) return [title];
  const words = part('words', '');
  words.append(title, part('more', more));
  return [...picture, words];
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

/** A picture without words: the title stands beside it. Its server is not told of this page. */
function pictureAt(address: string): HTMLImageElement {
  const picture = document.createElement('img');
  picture.alt = '';
  picture.referrerPolicy = 'no-referrer';
  picture.onerror = () => picture.remove();
  picture.src = address;
  return picture;
}

function movement(was: number, place: number, known: boolean): HTMLElement[] {
  if (!known || was === place) return [];
  if (was < 0) return [part('move', 'new')];
  const up = was > place;
  const steps = Math.abs(was - place);
  const arrow = part(up ? 'move up' : 'move', `${up ? '▲' : '▼'} ${steps}`);
  arrow.setAttribute('aria-hidden', 'true');
  return [arrow, part('unseen', `, ${up ? 'up' : 'down'} ${steps}`)];
}

/** What a person reads: the title, or the key of an item without one. */
export function nameOf(item: Item): string {
  return item.title ?? item.key;
}

/** A time as a person reads it; browsers round their clock to 0.1 ms. */
export function duration(ms: number): string {
  return ms < 1 ? `${Math.max(100, Math.round(ms * 10) * 100)} µs` : `${ms.toFixed(1)} ms`;
}

function pressable(press: () => void): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.onclick = press;
  return button;
}

function listItem(child: HTMLElement): HTMLLIElement {
  const item = document.createElement('li');
  item.append(child);
  return item;
}

function part(kind: string, text: string): HTMLElement {
  const span = document.createElement('span');
  span.className = kind;
  span.textContent = text;
  return span;
}
