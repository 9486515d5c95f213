/**
 * What was tapped near what, in a log: it raises the scores of the items near a history's last ones.
 *
 * neighbours.bin, a file that a bundle may have; all numbers little endian:
 *
 *     0   "GENB"
 *     4   u32 version of this format, 1
 *     8   u32 R, rows of the item table, as the log had them; an item after these has no neighbours
 *     12  u32 C, neighbours of all rows together
 *     16  u32 bytes of an id: 2 or 4; 2 is too few where R is above 65,536
 *     20  u32 L, how many of a history's last items count
 *     24  float32 decay, of each step back; then float32 c and float32 gamma
 *     36  u32 0
 *     40  (R + 1) × u32, where each row's neighbours begin, then R × float32 scales,
 *         C × u8 weights, C × ids, ascending in a row, to the file's end
 *
 * A neighbour's weight is its row's scale times its own number. An item's nearness e to a history is
 * the mean of its weights in the rows of the last L items, of which the one s steps back counts
 * decay^s times; its score rises by c · log(1 + gamma · e). One of these last L items itself does
 * not rise, unless it is in its own row: what is never tapped again is not brought back.
 */

import type { BundleSource, Manifest } from './bundle';
import { readChecked } from './bundle';
import { GlintError } from './errors';

const FILE = 'neighbours.bin';
const MAGIC = 'GENB';
const VERSION = 1;
const HEADER = 40;
const MOST_ROWS_OF_SHORT_IDS = 65536;
const MOST_LAST = 64;
const MOST_C = 10;
const MOST_GAMMA = 1e6;
/** Platforms round otherwise: so much of the largest rise is allowed beside a golden score. */
const ROUNDING = 1e-4;

/** What neighbours do to an item. */
export interface Pull {
  /** Added to its score. */
  readonly rise: number;
  /** The id of the item of the history that has the largest share in it. */
  readonly because: number;
}

/** By id; empty: no item is pulled. */
export type Pulls = ReadonlyMap<number, Pull>;

const NONE: Pulls = new Map();

/**
 * Read a bundle's neighbours; null: it has none.
 *
 * @throws GlintError `damaged` or `upgrade`.
 */
export async function readNeighbours(
  source: BundleSource,
  manifest: Manifest,
): Promise<Neighbours | null> {
  if (!Object.hasOwn(manifest.files, FILE)) return null;
  const bytes = await readChecked(source, manifest, FILE);
  return new Neighbours(bytes, `${source.place}${FILE}`, manifest.model.items);
}

/**
 * What neighbours do to the items after a history.
 *
 * @param wanted undefined or null: pull where there are neighbours; false: never.
 * @throws GlintError `argument`: they are wanted, and there are none.
 */
export function pullsAfter(
  neighbours: Neighbours | null,
  wanted: boolean | null | undefined,
  history: readonly number[],
): Pulls {
  if (wanted === true && neighbours === null) {
    throw new GlintError(
      'argument',
      'this bundle has no neighbours; export it with --neighbours 32',
    );
  }
  return wanted === false || neighbours === null ? NONE : neighbours.pulls(history);
}

/** A file of neighbours, which stays as bytes. */
export class Neighbours {
  private readonly view: DataView;
  private readonly rows: number;
  private readonly count: number;
  private readonly idBytes: number;
  /** How many of a history's last items count. */
  readonly last: number;
  private readonly decay: number;
  private readonly c: number;
  private readonly gamma: number;

  /**
   * @param place of the file, for error messages.
   * @param items how many the model has.
   * @throws GlintError `damaged` or `upgrade`.
   */
  constructor(bytes: Uint8Array, place: string, items: number) {
    const damaged = (reason: string) =>
      new GlintError('damaged', `${place} is damaged (${reason}); export the bundle again`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
    if (magic !== MAGIC || bytes.length < HEADER) throw damaged('it holds no neighbours');
    const version = view.getUint32(4, true);
    if (version > VERSION) {
      throw new GlintError(
        'upgrade',
        `${place} has version ${version}, this app reads ${VERSION}; upgrade the app`,
      );
    }
    if (version < VERSION) throw damaged('its version');
    this.view = view;
    [this.rows, this.count, this.idBytes, this.last] = [8, 12, 16, 20].map((at) =>
      view.getUint32(at, true),
    ) as [number, number, number, number];
    [this.decay, this.c, this.gamma] = [24, 28, 32].map((at) => view.getFloat32(at, true)) as [
      number,
      number,
      number,
    ];
    const wrong = this.wrongNumber(items) ?? this.wrongRow();
    if (wrong !== null) throw damaged(wrong);
  }

  /** By how much a list's scores may differ from those of another platform. */
  get rounding(): number {
    return ROUNDING * this.rise(1);
  }

  /** What a history does to the items that are near its last ones. */
  pulls(history: readonly number[]): Pulls {
    const nearness = new Map<number, { sum: number; share: number; because: number }>();
    const counting = history.slice(-this.last).reverse();
    let [weight, total] = [1, 0];
    for (const item of counting) {
      for (let place = this.start(item); place < this.end(item); place++) {
        const share = weight * this.weight(item, place);
        const id = this.id(place);
        const near = nearness.get(id);
        if (near === undefined) nearness.set(id, { sum: share, share, because: item });
        else {
          near.sum += share;
          if (share > near.share) Object.assign(near, { share, because: item }); // the later, of equals
        }
      }
      total += weight;
      weight *= this.decay;
    }
    for (const item of counting) if (!this.comesAgain(item)) nearness.delete(item);
    const pulled = [...nearness].map(
      ([id, { sum, because }]) => [id, { rise: this.rise(sum / total), because }] as const,
    );
    return new Map(pulled);
  }

  /** Whether an item is a neighbour of itself. */
  private comesAgain(item: number): boolean {
    for (let place = this.start(item); place < this.end(item); place++) {
      if (this.id(place) === item) return true;
    }
    return false;
  }

  private rise(nearness: number): number {
    return this.c * Math.log1p(this.gamma * nearness);
  }

  /** What is wrong with the numbers that the file begins with; null: nothing. */
  private wrongNumber(items: number): string | null {
    const { rows, count, idBytes, last, decay, c, gamma } = this;
    if (rows < 2 || rows > items + 1) return 'its rows are not those of this model';
    const fits = idBytes === 4 || (idBytes === 2 && rows <= MOST_ROWS_OF_SHORT_IDS);
    if (!fits) return 'the size of its ids';
    if (last < 1 || last > MOST_LAST) return 'how many items count';
    // Negated, so that NaN is wrong.
    if (!(decay > 0 && decay <= 1)) return 'its decay';
    if (!(c >= 0 && c <= MOST_C)) return 'its c';
    if (!(gamma > 0 && gamma <= MOST_GAMMA)) return 'its gamma';
    if (this.view.getUint32(36, true) !== 0) return 'a number of a later version';
    const size = HEADER + 4 * (rows + 1) + 4 * rows + count * (1 + idBytes);
    return this.view.byteLength === size ? null : 'its size';
  }

  private wrongRow(): string | null {
    const { rows, count } = this;
    if (this.start(0) !== 0 || this.startOf(rows) !== count) return 'where its rows begin';
    for (let row = 0; row < rows; row++) {
      const [start, end, scale] = [this.startOf(row), this.startOf(row + 1), this.scale(row)];
      if (end < start || end > count) return 'where its rows begin';
      if (!(scale < Infinity && (scale > 0 || (scale === 0 && start === end)))) return 'a scale';
      for (let place = start, before = 0; place < end; place++) {
        const id = this.id(place);
        if (id <= before || id >= rows) return 'an id, or the order of ids';
        if (this.view.getUint8(this.weights + place) === 0) return 'a weight';
        before = id;
      }
    }
    return null;
  }

  /** Where an item's neighbours begin; those of an item without a row are none. */
  private start(item: number): number {
    return item < this.rows ? this.startOf(item) : 0;
  }

  private end(item: number): number {
    return item < this.rows ? this.startOf(item + 1) : 0;
  }

  private startOf(row: number): number {
    return this.view.getUint32(HEADER + 4 * row, true);
  }

  private scale(row: number): number {
    return this.view.getFloat32(HEADER + 4 * (this.rows + 1 + row), true);
  }

  private get weights(): number {
    return HEADER + 4 * (2 * this.rows + 1);
  }

  private weight(row: number, place: number): number {
    return Math.fround(this.scale(row) * this.view.getUint8(this.weights + place));
  }

  private id(place: number): number {
    const at = this.weights + this.count + this.idBytes * place;
    return this.idBytes === 2 ? this.view.getUint16(at, true) : this.view.getUint32(at, true);
  }
}
