/** Large files are fetched ahead, so that the page can say how far they are. */

export interface Download {
  readonly address: string;
  readonly bytes: number;
}

/**
 * Fetch files into the browser's cache, where what asks for them next finds them.
 *
 * What cannot be had is left to be missed by who needs it.
 *
 * @param report takes what share is here, from 0 to 1.
 */
export async function fetchAhead(
  downloads: readonly Download[],
  report: (share: number) => void,
): Promise<void> {
  const here = await Promise.all(downloads.map(({ address }) => isKept(address)));
  const wanted = downloads.filter((_, place) => !here[place]);
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  let come = 0;
  const take = async ({ address }: Download) => {
    const reader = (await fetch(address)).body?.getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      come += part.value.length;
      report(Math.min(1, come / total));
    }
  };
  await Promise.allSettled(wanted.map(take));
}

/** Whether the service worker, or a bundle that came over the air, has it already. */
async function isKept(address: string): Promise<boolean> {
  try {
    return (await caches.match(new URL(address, document.baseURI).href)) !== undefined;
  } catch {
    return false; // private windows of some browsers
  }
}
