/** The list, and all that changes it: taps, filters, "more like this". */

import { excludesSeen, type Item, type Recommender, type Session } from '../glint-edge';
import { clearCards, showCards } from './cards';
import { duration, nameOf } from './elements';
import { Filters } from './filters';
import { recall, recalledHiding, recalledKeys, remember, rememberHiding } from './remember';
import { attachSearch } from './search';
import { popular, type Shelf } from './shelf';
import { showStrip } from './strip';
import { fail, type View } from './view';

/** How many items are shown at once, and how many more at a press: whole rows of 2, 3, 4 and 6. */
const SHOWN = 24;

/** As the model lists it, or as the catalogue does. */
type Listed = Item & { readonly because?: string | null };

interface Model {
  readonly recommender: Recommender;
  session: Session;
}

/** Until the model is here, the popular items are shown, and what is tapped waits for it. */
export class Page {
  private shelf: Shelf | null = null;
  private model: Model | null = null;
  private keys: readonly string[] = [];
  private readonly before: (readonly string[])[] = [];
  private like: Item | null = null;
  private count = SHOWN;
  private work: Promise<void> = Promise.resolve();
  private readonly filters: Filters;
  private readonly search: (items: readonly Item[]) => void;

  constructor(private readonly view: View) {
    this.filters = new Filters(view.filters, () => this.anew(''));
    this.search = attachSearch(view.search, view.matches, view.unmatched, (item) =>
      this.take(item),
    );
    view.hide.onchange = () => {
      rememberHiding(view.hide.checked);
      this.anew('');
    };
    view.undo.onclick = () => this.change(this.before.pop() ?? [], 'Undone.');
    view.clear.onclick = () => this.follow([], 'Cleared.');
    view.more.onclick = () => this.showMore();
    view.back.onclick = () => history.back();
    window.addEventListener('popstate', () => this.turnTo(this.ofAddress()));
  }

  /** Show what a bundle has, before its model is loaded. */
  begin(shelf: Shelf) {
    const { view } = this;
    const { manifest, catalogue, items } = shelf;
    this.shelf = shelf;
    view.name.textContent = manifest.name;
    view.hide.checked = recalledHiding() ?? excludesSeen(manifest);
    this.filters.offer(items);
    this.search(catalogue.items);
    this.keys = recalledKeys().filter((key) => catalogue.find(key) !== undefined);
    clearCards(view.top);
    this.draw(this.keys, this.popular());
    view.search.disabled = view.hide.disabled = false;
  }

  /** Go over to the model's lists, with what was tapped meanwhile. */
  async goOn(recommender: Recommender, said: string) {
    const session = await recall(recommender);
    this.model = { recommender, session };
    this.like = this.ofAddress();
    this.change(this.keys, said);
    await this.work;
  }

  private take(item: Item) {
    if (this.like !== null) history.replaceState(null, '');
    this.like = null;
    this.follow([...this.keys, item.key], `Added ${nameOf(item)}.`);
  }

  private remove(place: number) {
    const item = this.itemsOf(this.keys)[place];
    const keys = this.keys.filter((_, other) => other !== place);
    this.follow(keys, `Removed ${item ? nameOf(item) : ''}.`);
  }

  private follow(keys: readonly string[], said: string) {
    this.before.push(this.keys);
    this.change(keys, said);
  }

  /** The same history under other filters. */
  private anew(said: string) {
    this.count = SHOWN;
    this.change(this.keys, said);
  }

  private showMore() {
    const first = this.count;
    this.count += SHOWN;
    this.change(this.keys, '', () => {
      this.view.top.children[first]?.querySelector('button')?.focus();
    });
  }

  /** The item whose like are listed, as the browser's way back knows it. */
  private ofAddress(): Item | null {
    const key: unknown = (history.state as { like?: unknown } | null)?.like;
    return typeof key === 'string' ? (this.itemsOf([key])[0] ?? null) : null;
  }

  private readonly seekLike = (item: Item) => {
    history.pushState({ like: item.key }, '');
    this.turnTo(item);
  };

  private turnTo(like: Item | null) {
    this.like = like;
    this.count = SHOWN;
    this.change(this.keys, '', () => this.view.topLabel.focus());
  }

  /** Go over to another history, after the changes before it. */
  private change(keys: readonly string[], said: string, then = () => {}) {
    this.keys = keys;
    this.work = this.work
      .then(async () => {
        const { model, view } = this;
        const started = performance.now();
        const list = model ? await this.computed(model, keys) : this.popular();
        const took = performance.now() - started;
        if (model) remember(model.session);
        this.draw(keys, list);
        view.took.hidden = model === null;
        view.latency.textContent = duration(took);
        const words = said || countOf(list.length, this.count);
        view.status.textContent = model ? words : `${words} Loading the model …`;
        then();
      })
      .catch((error: unknown) => fail(this.view, error));
  }

  /** One item more is one `append`; any other change begins anew. */
  private async computed(model: Model, keys: readonly string[]): Promise<readonly Listed[]> {
    const { recommender } = model;
    const now = model.session.history.map(({ key }) => key);
    const goesOn = now.every((key, place) => key === keys[place]);
    if (goesOn && keys.length === now.length + 1) await model.session.append(keys.at(-1)!);
    else if (!goesOn || keys.length !== now.length) model.session = await recommender.start(keys);
    const { where } = this.filters;
    const excludeSeen = this.view.hide.checked;
    const k = this.count + 1; // whether there are more
    const without = keys.slice(-1); // what was just tapped never comes back
    if (this.like === null) return model.session.top(k, { excludeSeen, without, where });
    return recommender.similar(this.like.key, k, { without: excludeSeen ? keys : [], where });
  }

  private popular(): readonly Item[] {
    const { shelf, view, filters, keys } = this;
    if (shelf === null) return [];
    const without = view.hide.checked ? keys : keys.slice(-1);
    return popular(shelf, this.count + 1, { where: filters.where, without });
  }

  private draw(keys: readonly string[], list: readonly Listed[]) {
    const { view, like } = this;
    const shown = list.slice(0, this.count).map((item) => {
      const [because = null] = this.itemsOf(item.because == null ? [] : [item.because]);
      return { item, because };
    });
    showCards(view.top, shown, { take: (item) => this.take(item), like: this.seekLike });
    showStrip(view.history, this.itemsOf(keys), (place) => this.remove(place), view.search);
    const isFirst = this.model === null || keys.length === 0;
    view.topLabel.textContent = isFirst ? 'Most popular' : 'For you';
    if (this.model && like) view.topLabel.textContent = `More like ${nameOf(like)}`;
    view.back.hidden = !(this.model && like);
    view.more.hidden = list.length <= this.count;
    view.none.hidden = list.length > 0;
    view.noHistory.hidden = keys.length > 0;
    view.undo.disabled = this.before.length === 0;
    view.clear.disabled = keys.length === 0;
  }

  private itemsOf(keys: readonly string[]): Item[] {
    const catalogue = this.shelf?.catalogue;
    return keys.flatMap((key) => catalogue?.item(catalogue.find(key) ?? 0) ?? []);
  }
}

function countOf(items: number, most: number): string {
  if (items > most) return `The first ${most} items.`;
  return items === 1 ? '1 item.' : `${items} items.`;
}
