/** A Vite plugin: writes dist/precache.js, the list of files that public/sw.js keeps. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** Files of a bundle that no page reads, and the worker itself. */
const NOT_KEPT = /\.(pte|ort|config|md|map)$|^(sw|precache)\.js$/;
/** Kept when a page asks for it: one runtime and its artifact, and golden.json to check them. */
const ON_DEMAND = /^assets\/(ort-wasm|litert_wasm)|\.glint\/(golden\.json|model\.\w+)$/;

export function precache() {
  let folder = 'dist';
  return {
    name: 'precache',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle() {
      const files = list(folder).filter((file) => !NOT_KEPT.test(file));
      const hash = createHash('sha256');
      for (const file of files) hash.update(file).update(readFileSync(join(folder, file)));
      const kept = {
        version: hash.digest('hex').slice(0, 16),
        files: files.filter((file) => !ON_DEMAND.test(file)),
        onDemand: files.filter((file) => ON_DEMAND.test(file)),
      };
      writeFileSync(join(folder, 'precache.js'), `self.PRECACHE = ${JSON.stringify(kept)};\n`);
    },
  };
}

function list(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .map((file) => file.split(sep).join('/'))
    .sort();
}
