/** Calls that are carried out one after another, in the order they come. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Carry out a call when those before it have ended, however they ended. */
  take<T>(call: () => Promise<T>): Promise<T> {
    const result = this.last.then(call);
    this.last = result.catch(() => undefined); // whoever called hears of it
    return result;
  }
}
