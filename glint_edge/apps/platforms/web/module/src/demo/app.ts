/** The page, whatever runtime is below: a list as soon as the items are here, then the model. */

import { BUNDLE } from '../config';
import { BundleStore, type BundleSource, type Engine, fromUrl, Recommender } from '../glint-edge';
import { attachAbout } from './about';
import { keepOffline } from './offline';
import { Page } from './page';
import { type Download, fetchAhead } from './progress';
import { openShelf, readingOnce, type Shelf } from './shelf';
import { createView, fail, lock, type Runtime } from './view';

/** Bring the page to life. */
export async function run(engine: Engine, runtime: Runtime) {
  const view = createView(document.querySelector<HTMLElement>('#app')!, runtime);
  const page = new Page(view);
  const store = new BundleStore(fromUrl(`${encodeURIComponent(BUNDLE)}/`));
  // What this browser remembers may be of a model that knew other items.
  const load = (source: BundleSource) => Recommender.load(source, { engine, unknown: 'skip' });
  const keeping = keepOffline();
  try {
    const { source, recommender } = await store.open(async (source) => {
      const once = readingOnce(source);
      const shelf = await openShelf(once);
      page.begin(shelf);
      await keeping; // the worker keeps the runtime as it comes
      const downloads = [...runtime.files, ...artifactOf(shelf, engine.target, source.place)];
      await fetchAhead(downloads, (share) => (view.progress.value = share));
      view.progress.removeAttribute('value');
      return { source, recommender: await load(once) };
    });
    await warmUp(recommender);
    await page.goOn(recommender, (await keeping) ? 'Ready, with or without a network.' : 'Ready.');
    view.progress.hidden = true;
    attachAbout(view, recommender, source, store, load);
  } catch (error) {
    lock(view);
    fail(view, error);
  }
}

/** The file that a runtime runs, as far as the manifest tells of one. */
function artifactOf({ manifest }: Shelf, target: string, place: string): Download[] {
  const file = manifest.artifacts.find((artifact) => artifact.target === target)?.file ?? '';
  const { bytes } = manifest.files[file] ?? {};
  return bytes === undefined ? [] : [{ address: place + file, bytes }];
}

/** Runtimes set things up at their first calls: the times shown are those of every later tap. */
async function warmUp(recommender: Recommender) {
  const session = await recommender.start();
  for (const { key } of recommender.catalogue.items.slice(0, 3)) {
    await session.append(key);
    await session.top(1, { excludeSeen: false });
    await session.top(1, { excludeSeen: true });
  }
}
