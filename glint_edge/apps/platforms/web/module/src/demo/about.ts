/** "About this model": what it is, a check of it, and a look for a newer one. */

import { type BundleSource, type BundleStore, type Recommender, replayGolden } from '../glint-edge';
import { reasonOf } from '../glint-edge/errors';
import type { View } from './view';

/** Where the app looks for newer bundles, if its user asks. */
const LATEST = 'updates/latest.json';

/**
 * Bring the section to life.
 *
 * @param source the bundle in use.
 * @param load opens another.
 */
export function attachAbout(
  view: View,
  recommender: Recommender,
  source: BundleSource,
  store: BundleStore,
  load: (source: BundleSource) => Promise<Recommender>,
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
      view.checked.textContent = await act().catch(reasonOf);
      button.disabled = false;
    };
  };
  const check = async (newer: BundleSource) => {
    const candidate = await load(newer);
    const { failures } = await replayGolden(candidate, newer);
    await candidate.close();
    if (failures.length > 0) throw new Error(failures[0]);
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
