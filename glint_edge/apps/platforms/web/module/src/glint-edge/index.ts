/** Recommendations on the device, from a glint-edge bundle. */

export { fromBase64, toBase64 } from './base64';
export { type BundleSource, excludesSeen, fromUrl, type Manifest } from './bundle';
export { Catalogue, type Item, type UnknownItems } from './catalogue';
export { GlintError, type GlintErrorCode } from './errors';
export { type Replay, replayGolden } from './golden';
export type { Filters } from './filters';
export type { Recommendation } from './lists';
export { type LoadOptions, Recommender } from './recommender';
export type { Engine, Runtime } from './runtime';
export { Session, type TopOptions } from './session';
export { BundleStore, type Latest, type UpdateOptions } from './update';
