// What glint.wasm answers to histories, as digests: node lists.mjs glint.wasm MODEL … <histories
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [wasm, ...files] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(wasm));
const histories = JSON.parse(readFileSync(0));

const answers = files.map((file) => {
  const { exports: glint } = new WebAssembly.Instance(module);
  const { memory } = glint;
  let end = glint.__heap_base.value;
  const room = (bytes) => {
    const at = (end + 63) & ~63;
    end = at + bytes;
    const more = end - memory.buffer.byteLength;
    if (more > 0) memory.grow((more + 65535) >> 16);
    return at;
  };
  const put = (bytes) => {
    const at = room(bytes.byteLength);
    new Uint8Array(memory.buffer, at).set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return at;
  };
  const model = room(glint.glint_model_bytes()), data = readFileSync(file);
  if (glint.glint_open(model, put(data), data.length) !== 0) throw Error(`${file} is refused`);
  const rows = data.readUInt32LE(24), workspace = room(glint.glint_workspace_bytes(model));
  const state = room(4 * glint.glint_state_floats(model)), items = room(4 * rows), scores = room(4 * rows);
  const bias = put(Float32Array.from({ length: rows }, (_, id) => (id % 3 ? (id % 7) / 64 : -Infinity)));
  return histories.map((history) => {
    const digest = createHash('sha256');
    const take = (at, floats) => digest.update(new Uint8Array(memory.buffer, at, 4 * floats));
    new Uint8Array(memory.buffer, state, 4 * glint.glint_state_floats(model)).fill(0);
    const ids = put(Int32Array.from(history));
    glint.glint_append_many(model, workspace, state, ids, history.length);
    glint.glint_append(model, workspace, state, 1);
    take(state, glint.glint_state_floats(model));
    for (const [k, filter] of [[10, 0], [rows, bias]]) {
      for (const count of [
        () => glint.glint_recommend(model, workspace, state, filter, k, items, scores),
        () => glint.glint_similar(model, workspace, 2, filter, k, items, scores),
      ]) {
        const listed = count();
        take(items, listed);
        take(scores, listed);
      }
    }
    return digest.digest('hex');
  });
});
console.log(JSON.stringify(answers));
