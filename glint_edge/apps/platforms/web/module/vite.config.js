import { readdirSync } from 'node:fs';

import { defineConfig } from 'vite';

import { precache } from './precache.js';

export default defineConfig({
  base: './', // works in any folder of a site
  appType: 'mpa', // a missing file is a 404, not the first page
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    reportCompressedSize: false, // the runtimes take longer to compress than all else to build
    rollupOptions: { input: readdirSync('.').filter((name) => name.endsWith('.html')) },
  },
  // Bundled ahead for development, they would not find their WebAssembly.
  optimizeDeps: { exclude: ['onnxruntime-web', '@litertjs/core'] },
  plugins: [precache()],
});
