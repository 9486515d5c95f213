/** Keeping the session from visit to visit, and its history for when the model is another one. */

import { fromBase64, GlintError, type Recommender, type Session, toBase64 } from '../glint-edge';

const PLACE = 'glint-edge-session';
const HIDING = 'glint-edge-hide-seen';

interface Remembered {
  readonly session: string; // base64
  readonly history: readonly string[];
}

/** Store a session in this browser. */
export function remember(session: Session) {
  const kept: Remembered = {
    session: toBase64(session.save()),
    history: session.history.map(({ key }) => key),
  };
  write(PLACE, JSON.stringify(kept));
}

/** Store whether what was seen is hidden. */
export function rememberHiding(isHidden: boolean) {
  write(HIDING, String(isHidden));
}

/** Whether what was seen is to be hidden; null: nobody has chosen. */
export function recalledHiding(): boolean | null {
  try {
    const kept = localStorage.getItem(HIDING);
    return kept === null ? null : kept === 'true';
  } catch {
    return null;
  }
}

/** The items of the stored session, by their keys, the oldest first. */
export function recalledKeys(): readonly string[] {
  return read()?.history ?? [];
}

/** The stored session, or one built anew from its history; an empty one if there is none. */
export async function recall(recommender: Recommender): Promise<Session> {
  const kept = read();
  if (kept === null) return recommender.start();
  try {
    return recommender.resume(fromBase64(kept.session));
  } catch (error) {
    if (!(error instanceof GlintError)) throw error;
    return recommender.start(kept.history);
  }
}

function write(place: string, text: string) {
  try {
    localStorage.setItem(place, text);
  } catch {
    // Full or forbidden: it lives as long as the page.
  }
}

function read(): Remembered | null {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? 'null') as Remembered | null;
    const isText = (value: unknown) => typeof value === 'string';
    return kept?.history.every(isText) && isText(kept.session) ? kept : null;
  } catch {
    return null;
  }
}
