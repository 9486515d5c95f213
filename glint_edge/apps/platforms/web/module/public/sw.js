/* Keeps the app on the device: after the first visit it starts without a network. */

importScripts('precache.js'); // self.PRECACHE, written by the build

const { version, files, onDemand } = self.PRECACHE;
const PREFIX = 'glint-edge-app-';
const NAME = PREFIX + version;
const here = (file) => new URL(encodeURI(file), self.registration.scope).href;
const KEPT = new Set([...files, ...onDemand].map(here));

self.addEventListener('install', (event) => {
  event.waitUntil(install().then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(deleteOthers().then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const address = new URL(event.request.url);
  address.search = address.hash = '';
  if (address.href === self.registration.scope) address.pathname += 'index.html';
  if (event.request.method === 'GET' && KEPT.has(address.href)) {
    event.respondWith(answer(address.href, event));
  }
});

/** What every visit needs; and of the rest what the last version had, so that it stays able to start. */
async function install() {
  const cache = await caches.open(NAME);
  const had = await Promise.all(onDemand.map(async (file) => (await isKept(file)) && file));
  const wanted = [...files, ...had.filter(Boolean)];
  await cache.addAll(wanted.map((file) => new Request(here(file), { cache: 'no-cache' })));
}

async function isKept(file) {
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
  const found = await Promise.all(
    names.map(async (name) => (await caches.open(name)).match(here(file))),
  );
  return found.some(Boolean);
}

async function deleteOthers() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** Files that are being written to the cache while a page reads them: who asks again waits. */
const writing = new Map();

async function answer(address, event) {
  await writing.get(address);
  const cache = await caches.open(NAME);
  const kept = await cache.match(address);
  if (kept) return kept;
  const response = await fetch(address);
  if (response.ok) event.waitUntil(keep(cache, address, response.clone()));
  return response;
}

/** Where storage is full, the page works and is not kept. */
function keep(cache, address, response) {
  const written = cache
    .put(address, response)
    .catch(() => undefined)
    .finally(() => writing.delete(address));
  writing.set(address, written);
  return written;
}
