/** How long a first visit waits for the worker; beyond it, the page works but is not kept. */
const PATIENCE_MS = 5000;

/**
 * Have public/sw.js keep the app on the device.
 *
 * Waits until the worker answers this page's requests, so that the runtime, which is loaded next,
 * is kept as it is downloaded.
 *
 * @returns whether the app will start without a network.
 */
export async function keepOffline(): Promise<boolean> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return false;
  const worker = navigator.serviceWorker;
  const controlled = new Promise<boolean>((resolve) => {
    if (worker.controller) resolve(true);
    worker.addEventListener('controllerchange', () => resolve(true), { once: true });
  });
  // A page that was reloaded past its worker is never controlled, nor where storage is full.
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, PATIENCE_MS, false));
  try {
    await worker.register('./sw.js', { updateViaCache: 'none' });
  } catch {
    return false; // private windows of some browsers
  }
  return Promise.race([controlled, late]);
}
