/** The page, whatever runtime is below: search, history, the list and its latency. */

import { BUNDLE } from '../config';
import {
  BundleStore,
  type BundleSource,
  type Engine,
  excludesSeen,
  fromUrl,
  type Item,
  type Recommendation,
  Recommender,
  replayGolden,
  type Session,
} from '../glint-edge';
import { keepOffline } from './offline';
import { recall, remember } from './remember';
import { attachSearch } from './search';
import {
  createView,
  duration,
  nameOf,
  type Runtime,
  showHistory,
  showTop,
  SHOWN,
  type View,
} from './view';

/** Where the app looks for newer bundles, if its user asks. */
const LATEST = 'updates/latest.json';

/** Load the model and bring the page to life. */
export async function run(engine: Engine, runtime: Runtime) {
  const view = createView(document.querySelector<HTMLElement>('#app')!, runtime);
  const store = new BundleStore(fromUrl(`${encodeURIComponent(BUNDLE)}/`));
  try {
    const offline = await keepOffline();
    const load = async (source: BundleSource) => ({
      source,
      // What this browser remembers may be of a model that knew other items.
      recommender: await Recommender.load(source, { engine, unknown: 'skip' }),
    });
    const { source, recommender } = await store.open(load);
    await warmUp(recommender);
    const demo = new Demo(view, recommender, await recall(recommender));
    await demo.start();
    attachAbout(view, recommender, source, store, async (newer) => {
      const { recommender } = await load(newer);
      const { failures } = await replayGolden(recommender, newer);
      await recommender.close();
      if (failures.length > 0) throw new Error(failures[0]);
    });
    view.status.textContent = offline ? 'Ready, with or without a network.' : 'Ready.';
  } catch (error) {
    view.status.textContent = '';
    fail(view, error);
  }
}

/** Runtimes set things up at their first calls: the times shown are those of every later tap. */
async function warmUp(recommender: Recommender) {
  const session = await recommender.start();
  for (const { key } of recommender.catalogue.items.slice(0, 3)) {
    await session.append(key);
    await session.top(1);
  }
}

class Demo {
  private keys: readonly string[];
  private readonly past: (readonly string[])[] = [];
  private shown: readonly Recommendation[] = [];
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly view: View,
    private readonly recommender: Recommender,
    private session: Session,
  ) {
    this.keys = keysOf(session);
  }

  async start() {
    const { view } = this;
    attachSearch(view.search, view.matches, this.recommender.catalogue.items, this.add);
    view.hide.onchange = () => this.change(this.keys, '');
    view.undo.onclick = () => this.change(this.past.pop() ?? [], 'Undone.');
    view.clear.onclick = () => this.remembering([], 'Cleared.');
    const { manifest } = this.recommender;
    const fits = typeof manifest.data?.repeats !== 'number' || excludesSeen(manifest);
    view.hide.checked = fits && manifest.top_k > SHOWN; // else too few would be left
    await this.show();
    view.search.disabled = view.hide.disabled = false;
  }

  private readonly add = (item: Item) => {
    this.remembering([...this.keys, item.key], `Added ${nameOf(item)}.`);
  };

  private remove(place: number) {
    const item = this.session.history[place];
    this.remembering(
      this.keys.filter((_, other) => other !== place),
      `Removed ${item ? nameOf(item) : ''}.`,
    );
  }

  private remembering(keys: readonly string[], said: string) {
    this.past.push(this.keys);
    this.change(keys, said);
  }

  /** Go over to another history, after the changes before it. */
  private change(keys: readonly string[], said: string) {
    this.keys = keys;
    this.work = this.work
      .then(async () => {
        const took = await this.compute(keys);
        remember(this.session);
        this.view.status.textContent = `${said} Recommendations took ${took}.`.trim();
      })
      .catch((error: unknown) => fail(this.view, error));
  }

  /** One item more is one `append`; any other change begins anew. */
  private async compute(keys: readonly string[]): Promise<string> {
    const started = performance.now();
    const now = keysOf(this.session);
    const added = keys.length - now.length;
    if (added === 1 && now.every((key, place) => key === keys[place])) {
      await this.session.append(keys.at(-1)!);
    } else if (added !== 0) {
      this.session = await this.recommender.start(keys);
    }
    return this.show(started);
  }

  private async show(started = performance.now()): Promise<string> {
    const { view, session } = this;
    const excludeSeen = view.hide.checked;
    const most = this.recommender.manifest.top_k;
    const k = Math.min(SHOWN, most);
    const list = await session.top(k, { excludeSeen });
    const took = duration(performance.now() - started);
    showTop(view, list, this.shown, this.add);
    showHistory(view, session.history, (place) => this.remove(place));
    this.shown = list;
    view.latency.textContent = took;
    view.topLabel.textContent = session.history.length > 0 ? 'For you' : 'Most popular';
    view.undo.disabled = this.past.length === 0;
    view.clear.disabled = session.history.length === 0;
    view.fewer.hidden = list.length === k;
    view.fewer.textContent = `This bundle gives ${most} items, seen ones among them: export it with a larger --top-k.`;
    return took;
  }
}

function attachAbout(
  view: View,
  recommender: Recommender,
  source: BundleSource,
  store: BundleStore,
  check: (source: BundleSource) => Promise<void>,
) {
  const { manifest, catalogue } = recommender;
  view.about.textContent =
    `${manifest.name}: ${catalogue.size} items, version ${manifest.digest.slice(0, 8)}. ` +
    (manifest.data?.attribution ?? '');
  const attach = (button: HTMLButtonElement, act: () => Promise<string>) => {
    button.disabled = false;
    button.onclick = async () => {
      button.disabled = true;
      view.checked.textContent = 'One moment …';
      view.checked.textContent = await act().catch(reason);
      button.disabled = false;
    };
  };
  attach(view.check, async () => {
    const { cases, failures } = await replayGolden(recommender, source);
    return failures[0] ?? `All ${cases} golden cases give what was exported.`;
  });
  attach(view.update, async () =>
    (await store.update(LATEST, check))
      ? 'A newer model is here: reload the page to use it.'
      : 'This is the newest model.',
  );
}

function keysOf(session: Session): string[] {
  return session.history.map(({ key }) => key);
}

function fail(view: View, error: unknown) {
  view.alert.textContent = reason(error);
  view.alert.hidden = false;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
