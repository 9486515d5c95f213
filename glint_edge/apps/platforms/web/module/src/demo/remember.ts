/** Keeping the session from visit to visit, and its history for when the model is another one. */

import { GlintError, type Recommender, type Session } from '../glint-edge';

const PLACE = 'glint-edge-session';

interface Remembered {
  readonly session: string; // base64
  readonly history: readonly string[];
}

/** Store a session in this browser. */
export function remember(session: Session) {
  const kept: Remembered = {
    session: btoa(String.fromCharCode(...session.save())),
    history: session.history.map(({ key }) => key),
  };
  try {
    localStorage.setItem(PLACE, JSON.stringify(kept));
  } catch {
    // Full or forbidden: the session lives as long as the page.
  }
}

/** The stored session, or one built anew from its history; an empty one if there is none. */
export async function recall(recommender: Recommender): Promise<Session> {
  const kept = read();
  if (kept === null) return recommender.start();
  try {
    return recommender.resume(Uint8Array.from(atob(kept.session), (char) => char.charCodeAt(0)));
  } catch (error) {
    if (!(error instanceof GlintError)) throw error;
    return recommender.start(kept.history);
  }
}

function read(): Remembered | null {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? 'null') as Remembered | null;
    return Array.isArray(kept?.history) && typeof kept?.session === 'string' ? kept : null;
  } catch {
    return null;
  }
}
