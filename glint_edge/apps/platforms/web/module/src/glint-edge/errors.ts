/** What went wrong, for a program; the message says it to a person, with what to do. */
export type GlintErrorCode =
  | 'damaged' // a file or saved session is not what was written
  | 'upgrade' // made by a newer version than this one
  | 'other-model' // a session of another bundle: rebuild it from its history
  | 'older' // the server announces what is older than what is in use
  | 'unknown-item' // a key that is not in the catalogue
  | 'argument' // the call cannot be carried out
  | 'unavailable'; // the browser lacks something, or the network failed

/** Every error this library throws by itself. */
export class GlintError extends Error {
  override readonly name = 'GlintError';

  constructor(
    readonly code: GlintErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an error of somebody else says, in one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().replace(/\s+/g, ' ') || 'no reason is known';
}
