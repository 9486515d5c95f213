/** The way in: load a bundle, start sessions. */

import {
  type BundleSource,
  chunkOf,
  fromUrl,
  type Manifest,
  readChecked,
  readManifest,
  rowsOf,
} from './bundle';
import { Catalogue, parseItems, type UnknownItems } from './catalogue';
import { GlintError, reasonOf } from './errors';
import type { Filters } from './filters';
import { bestItems, type Recommendation } from './lists';
import { type Neighbours, readNeighbours } from './neighbours';
import type { Engine } from './runtime';
import { decodeSession } from './session-bytes';
import { Session, type TopOptions } from './session';
import { Stream } from './stream';

export interface LoadOptions {
  /** What runs the model: `engine(…)`, `onnx(…)` or `litert(…)`. */
  readonly engine: Engine;
  /** What an unknown key does (default: refuse). */
  readonly unknown?: UnknownItems;
}

export class Recommender {
  private constructor(
    readonly catalogue: Catalogue,
    /** @internal */
    readonly stream: Stream,
    private readonly unknown: UnknownItems,
    /** @internal null: the model is alone. */
    readonly neighbours: Neighbours | null = null,
  ) {}

  /**
   * Load a bundle; every file that is read is checked against its manifest, and each of the model's
   * methods is run once: the first tap is as quick as any. What it computes, `replayGolden` checks.
   *
   * @param bundle the address of its folder, or another source.
   * @throws GlintError `damaged`, `upgrade` or `unavailable`.
   */
  static async load(bundle: string | URL | BundleSource, options: LoadOptions): Promise<Recommender> {
    const source = typeof bundle === 'string' || bundle instanceof URL ? fromUrl(bundle) : bundle;
    const manifest = await readManifest(source);
    const file = artifactFor(manifest, options.engine, source.place);
    const [items, artifact, neighbours] = await Promise.all([
      readChecked(source, manifest, 'items.json'),
      readChecked(source, manifest, file),
      readNeighbours(source, manifest),
    ]);
    const place = `${source.place}items.json`;
    const catalogue = new Catalogue(parseItems(items, place, manifest.model.items));
    const runtime = await options.engine.open(artifact, shapesOf(manifest)).catch((error) => {
      throw new GlintError(
        'unavailable',
        `the runtime refuses ${source.place}${file} (${reasonOf(error)}); export the bundle again`,
        { cause: error },
      );
    });
    const stream = new Stream(runtime, manifest, catalogue.size);
    try {
      await stream.tryOnce();
    } catch (error) {
      await stream.close().catch(() => undefined); // the first error is the one to tell
      throw error;
    }
    return new Recommender(catalogue, stream, options.unknown ?? 'refuse', neighbours);
  }

  get manifest(): Manifest {
    return this.stream.manifest;
  }

  /**
   * The k best items after a history of keys, the oldest first.
   *
   * @throws GlintError `unknown-item` or `argument`.
   */
  async recommend(
    history: readonly string[],
    k?: number,
    options?: TopOptions,
  ): Promise<Recommendation[]> {
    const session = await this.start(history);
    return session.top(k, options);
  }

  /**
   * The k items most like one, best first, itself never among them; the scores are cosines.
   *
   * @throws GlintError `unknown-item`, unless these are skipped: nothing is like it then; `argument`.
   */
  async similar(key: string, k = 10, filters: Filters = {}): Promise<Recommendation[]> {
    const { stream, catalogue } = this;
    const id = catalogue.id(key, this.unknown);
    if (id === null) return [];
    return bestItems(stream, catalogue, k, filters, [id], (bias) => stream.similar(id, bias));
  }

  /**
   * A session that begins with a history.
   *
   * @throws GlintError `unknown-item`
   */
  start(history: readonly string[] = []): Promise<Session> {
    return this.session().begin(history);
  }

  /**
   * A session from what `save` gave.
   *
   * @throws GlintError `other-model`: start again from the history; `damaged`, `upgrade`.
   */
  resume(bytes: Uint8Array): Session {
    const { state, ids } = decodeSession(bytes, {
      digest: this.manifest.digest,
      state: this.manifest.state.shape[1],
      items: this.catalogue.size,
    });
    return this.session(state, [...ids]);
  }

  /** Give back the runtime's memory; no session works after it. */
  close(): Promise<void> {
    return this.stream.close();
  }

  private session(state?: Float32Array, ids?: number[]): Session {
    return new Session(this.stream, this.catalogue, this.unknown, this.neighbours, state, ids);
  }
}

function artifactFor(manifest: Manifest, engine: Engine, place: string): string {
  const artifact = manifest.artifacts.find(({ target }) => target === engine.target);
  if (artifact !== undefined) return artifact.file;
  throw new GlintError(
    'argument',
    `${place} has no artifact for ${engine.target}; export it with --target ${engine.target}`,
  );
}

function shapesOf(manifest: Manifest) {
  return {
    state: manifest.state.shape[1],
    chunk: chunkOf(manifest),
    rows: rowsOf(manifest),
    topK: manifest.top_k,
  };
}
