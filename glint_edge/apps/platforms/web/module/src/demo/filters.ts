/** Filters by the catalogue's fields: chips for the first that has few values, else lists. */

import type { Item } from '../glint-edge';
import { headingOf, pressable } from './elements';

/** More are no help to who looks for something. */
const MOST_FIELDS = 4;
const MOST_VALUES = 500;
const MOST_CHIPS = 8;

/** Items that have a value, on the average, for a field to group items: as the toolkit has it. */
const LEAST = 1.5;
const LEAST_OF_NUMBERS = 5;

/** Of each field that is filtered by, the values an item may have. */
export type Where = Readonly<Record<string, readonly string[]>>;

interface Field {
  readonly name: string;
  /** The most frequent first. */
  readonly values: readonly string[];
}

/** Whether a field groups items, by how many have each value: of a price nearly all are rare. */
export function groups(counts: ReadonlyMap<string, number>): boolean {
  const numbers = [...counts.keys()].filter(isNumber).length;
  const least = 2 * numbers > counts.size ? LEAST_OF_NUMBERS : LEAST;
  return sum(counts) >= least * counts.size;
}

/** The fields to choose from: several values, which group items. */
export function fieldsOf(items: readonly Item[]): Field[] {
  const counts = new Map<string, Map<string, number>>();
  for (const item of items) {
    for (const [name, value] of Object.entries(item.fields)) {
      const ofField = counts.get(name) ?? new Map<string, number>();
      counts.set(name, ofField.set(value, (ofField.get(value) ?? 0) + 1));
    }
  }
  return [...counts]
    .filter(([, count]) => count.size > 1 && count.size <= MOST_VALUES && groups(count))
    .slice(0, MOST_FIELDS)
    .map(([name, count]) => ({ name, values: [...count].sort(byFrequency).map(([value]) => value) }));
}

/** Whether an item stays: its value of every field is one of those chosen. */
export function passes(item: Item, where: Where): boolean {
  const fields = new Map(Object.entries(item.fields));
  return Object.entries(where).every(([name, values]) => {
    const value = fields.get(name);
    return value !== undefined && values.includes(value);
  });
}

/** The controls in a place of the page, and what is chosen there. */
export class Filters {
  private chosen = new Map<string, readonly string[]>();

  constructor(
    private readonly place: HTMLElement,
    private readonly changed: () => void,
  ) {}

  /** Undefined where nothing is chosen, for which a model has no more to do. */
  get where(): Where | undefined {
    return this.chosen.size === 0 ? undefined : Object.fromEntries(this.chosen);
  }

  /** Offer what fits these items; nothing is chosen. */
  offer(items: readonly Item[]) {
    this.chosen = new Map();
    const fields = fieldsOf(items);
    const first = fields.find(({ values }) => values.length <= MOST_CHIPS);
    const rest = fields.filter((field) => field !== first);
    this.place.replaceChildren(
      ...(first ? [this.chips(first)] : []),
      ...rest.map((field) => this.list(field)),
    );
  }

  private choose(field: string, values: readonly string[]) {
    if (values.length > 0) this.chosen.set(field, values);
    else this.chosen.delete(field);
    this.changed();
  }

  /** Any number of them may be pressed; "All" lets go of them. */
  private chips({ name, values }: Field): HTMLElement {
    const group = document.createElement('div');
    group.className = 'chips';
    group.setAttribute('role', 'group');
    group.setAttribute('aria-label', headingOf(name));
    const pressed = new Set<string>();
    const chip = (text: string, press: () => void) => {
      const button = pressable('chip', () => {
        press();
        mark();
        this.choose(name, [...pressed]);
      });
      button.textContent = text;
      button.dir = 'auto';
      return button;
    };
    const all = chip('All', () => pressed.clear());
    const each = values.map((value) =>
      chip(value, () => pressed.delete(value) || pressed.add(value)),
    );
    const mark = () => {
      all.setAttribute('aria-pressed', String(pressed.size === 0));
      each.forEach((button, place) =>
        button.setAttribute('aria-pressed', String(pressed.has(values[place]!))),
      );
    };
    mark();
    group.append(all, ...each);
    return group;
  }

  private list({ name, values }: Field): HTMLElement {
    const label = document.createElement('label');
    label.className = 'choice';
    const select = document.createElement('select');
    const inOrder = [...values].sort((one, other) =>
      one.localeCompare(other, undefined, { numeric: true }),
    );
    select.append(new Option('All', ''), ...inOrder.map((value) => new Option(value)));
    select.onchange = () => {
      const place = select.selectedIndex - 1; // a value may be empty, as that of "All" is
      this.choose(name, place < 0 ? [] : [inOrder[place]!]);
    };
    label.append(headingOf(name), select);
    return label;
  }
}

function byFrequency([one, ones]: [string, number], [other, others]: [string, number]): number {
  return others - ones || (one < other ? -1 : 1);
}

/** Whether a value begins with a digit, and has no more letters than digits. */
function isNumber(value: string): boolean {
  const digits = value.match(/\p{Nd}/gu)?.length ?? 0;
  return /^[^\p{L}\p{N}]*\p{Nd}/u.test(value) && digits >= (value.match(/\p{L}/gu)?.length ?? 0);
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
