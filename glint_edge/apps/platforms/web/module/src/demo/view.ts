/** The page's elements, each reached by its id. */

import { BUNDLE, PICTURES } from '../config';
import type { Download } from './progress';

export interface Runtime {
  readonly name: string;
  /** What it is made of, and of how many bytes: for the progress bar. */
  readonly files: readonly Download[];
  /** The same page on other runtimes, as far as they are here. */
  readonly others: readonly { readonly name: string; readonly page: string }[];
}

const TEMPLATE = `
<header>
  <div class="about">
    <h1 id="name"></h1>
    <p id="runtime"></p>
  </div>
  <div class="search" role="search">
    <label class="unseen" for="search">Add something you liked</label>
    <input id="search" type="search" role="combobox" autocomplete="off" spellcheck="false"
      placeholder="Add something you liked" aria-autocomplete="list" aria-expanded="false"
      aria-controls="matches" disabled />
    <ul id="matches" role="listbox" aria-label="Matching titles" hidden></ul>
    <p id="unmatched" role="status" dir="auto"></p>
  </div>
  <progress id="progress" aria-label="Loading the model"></progress>
</header>
<main>
  <p id="alert" role="alert" hidden></p>
  <section id="past" aria-labelledby="history-label">
    <div class="head">
      <h2 id="history-label">Your history</h2>
      <button id="undo" class="plain" type="button" disabled>Undo</button>
      <button id="clear" class="plain" type="button" disabled>Clear</button>
    </div>
    <p id="no-history">Nothing yet: search above, or tap a recommendation.</p>
    <ol id="history" aria-labelledby="history-label" reversed></ol>
  </section>
  <section id="list" aria-labelledby="top-label">
    <div class="head">
      <button id="back" class="plain" type="button" aria-label="Back to your list" hidden>←</button>
      <h2 id="top-label" tabindex="-1" dir="auto">Most popular</h2>
    </div>
    <p class="said">
      <span id="status" role="status">Loading the model …</span>
      <span id="took" hidden>Computed in <span id="latency"></span>.</span>
    </p>
    <div class="tools">
      <div id="filters"></div>
      <label class="switch"><input id="hide" type="checkbox" disabled />Hide what I have seen</label>
    </div>
    <ol id="top" aria-labelledby="top-label"></ol>
    <p id="none" hidden>Nothing is left: choose other filters, or show what you have seen.</p>
    <button id="more" type="button" hidden>Show more</button>
  </section>
</main>
<footer>
  <details>
    <summary>About this model</summary>
    <p id="about"></p>
    <div class="head">
      <button id="check" type="button" disabled>Check the model</button>
      <button id="update" type="button" disabled>Look for a newer model</button>
    </div>
    <p id="checked" role="status"></p>
    <p><span id="leaves">Nothing leaves this device.</span>
      <span id="elsewhere">The same page on </span></p>
  </details>
</footer>`;

export type View = ReturnType<typeof createView>;

/** Build the page in `root`. */
export function createView(root: HTMLElement, runtime: Runtime) {
  root.innerHTML = TEMPLATE;
  const find = <T extends HTMLElement>(id: string) => root.querySelector<T>(`#${id}`)!;
  find('name').textContent = BUNDLE.replace(/\.glint$/, '');
  find('runtime').textContent = `On your device, by ${runtime.name}`;
  if (PICTURES.length > 0) {
    const from = PICTURES.map((source) => source.replace(/^https?:\/\//, '')).join(', ');
    find('leaves').textContent = `Pictures are fetched (${from}); nothing else leaves this device.`;
  }
  const links = runtime.others.map(({ name, page }, place) => {
    const link = Object.assign(document.createElement('a'), { textContent: name, href: page });
    return place === 0 ? [link] : [', ', link];
  });
  if (links.length === 0) find('elsewhere').remove();
  else find('elsewhere').append(...links.flat(), '.');
  return {
    name: find('name'),
    search: find<HTMLInputElement>('search'),
    matches: find<HTMLUListElement>('matches'),
    unmatched: find('unmatched'),
    progress: find<HTMLProgressElement>('progress'),
    alert: find('alert'),
    past: find('past'),
    history: find<HTMLOListElement>('history'),
    noHistory: find('no-history'),
    undo: find<HTMLButtonElement>('undo'),
    clear: find<HTMLButtonElement>('clear'),
    list: find('list'),
    topLabel: find('top-label'),
    back: find<HTMLButtonElement>('back'),
    took: find('took'),
    latency: find('latency'),
    status: find('status'),
    filters: find('filters'),
    hide: find<HTMLInputElement>('hide'),
    top: find<HTMLOListElement>('top'),
    none: find('none'),
    more: find<HTMLButtonElement>('more'),
    about: find('about'),
    check: find<HTMLButtonElement>('check'),
    update: find<HTMLButtonElement>('update'),
    checked: find('checked'),
  };
}

/** Say what went wrong. */
export function fail(view: View, error: unknown) {
  view.alert.textContent = error instanceof Error ? error.message : String(error);
  view.alert.hidden = false;
}

/** Leave what is shown, and let nothing be done with it: there is no model to answer. */
export function lock(view: View) {
  view.status.textContent = '';
  view.progress.hidden = true;
  view.search.disabled = view.hide.disabled = true;
  view.past.inert = view.list.inert = true;
}
