/** The catalogue's fields as numbers, so that a filter looks at a million items at once. */

import type { Item } from './catalogue';
import { GlintError } from './errors';

/** A field, such as the category. */
export class Field {
  /** By id: of each value a number of its own; 0: the item has none. */
  private readonly codes: Int32Array;
  private readonly codeOf = new Map<string, number>();

  constructor(name: string, items: readonly Item[]) {
    this.codes = new Int32Array(items.length + 1);
    items.forEach(({ fields }, place) => {
      const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (value === undefined) return;
      const code = this.codeOf.get(value) ?? this.codeOf.size + 1;
      this.codeOf.set(value, code);
      this.codes[place + 1] = code;
    });
  }

  get isEmpty(): boolean {
    return this.codeOf.size === 0;
  }

  /** The number of an item's value; 0: it has none. */
  code(id: number): number {
    return this.codes[id] ?? 0;
  }

  /** The numbers of some values; what no item has is left out. */
  codesOf(values: Iterable<string>): ReadonlySet<number> {
    return new Set([...values].flatMap((value) => this.codeOf.get(value) ?? []));
  }
}

/** The fields of a catalogue, each read when a filter first names it. */
export class Fields {
  private readonly read = new Map<string, Field>();

  /** @param names in the catalogue's order; some may be of no item. */
  constructor(
    private readonly names: readonly string[],
    private readonly items: readonly Item[],
  ) {}

  /**
   * A field by its name.
   *
   * @throws GlintError `argument`: no item has it.
   */
  named(name: string): Field {
    let field = this.read.get(name);
    if (field === undefined) {
      field = new Field(name, this.items);
      if (field.isEmpty) throw this.unknown(name);
      this.read.set(name, field);
    }
    return field;
  }

  private unknown(name: string): GlintError {
    const names = this.names.filter((each) => !new Field(each, this.items).isEmpty);
    const has = names.length > 0 ? `the fields are ${names.join(', ')}` : 'this bundle has no fields';
    return new GlintError('argument', `no item has the field '${name}'; ${has}`);
  }
}
