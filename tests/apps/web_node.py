"""The web module's library in Node.js, above a runtime of a few lines: no browser, no bundle."""

import json
import subprocess

from glint_edge.apps.module import find_platform
from tests.apps.web_site import node_modules

# A state is its count, and what tells one history from another. Rows beside the items are kept out
# as in an artifact, by a score of their own.
RUNTIME = """
import { readFileSync } from 'node:fs';
import { Catalogue, fromBase64, Recommender } from './src/glint-edge';
import { Neighbours } from './src/glint-edge/neighbours';
import { Stream } from './src/glint-edge/stream';

const step = ([count = 0, mark = 0], id) => Float32Array.of(count + 1, (mark * 7 + id) % 10007);

/** Scores by id for whatever history, cosines by id for whatever item; `calls` tells what ran. */
const runtimeOf = ({ scores, cosines = scores, topK }, calls) => {
  const list = (of, bias) => {
    calls.push(bias === null ? 'list' : 'list with a bias');
    const sum = (id) => Math.fround(of[id] + Math.fround(bias?.[id] ?? 0));
    const ids = of.map((_, id) => id).sort((a, b) => sum(b) - sum(a) || a - b).slice(0, topK);
    return { ids, scores: ids.map(sum) };
  };
  return {
    append: async (state, id) => (calls.push('append'), step(state, id)),
    appendMany: async (state, ids) => (calls.push(`encode ${ids.length}`), ids.reduce(step, state)),
    recommend: async (state, bias) => list(scores, bias),
    similar: async (id, bias) => list(cosines, bias),
    close: async () => {},
  };
};

const neighboursOf = (text, items) => new Neighbours(fromBase64(text), 'neighbours.bin', items);

const load = ({
  items, window = 'unbounded', maxLength = 50, padding, repeats = 1, neighbours, ...rest
}) => {
  const rows = { inputs: [{ name: 'bias', shape: [1, rest.scores.length] }] };
  const manifest = {
    name: 'fake', digest: '0a'.repeat(32), top_k: rest.topK, window, data: { repeats },
    model: { items: items.keys.length, max_length: maxLength, padding },
    state: { shape: [1, 2] }, methods: { recommend: rows, similar: rows },
  };
  const calls = [], catalogue = new Catalogue(items);
  const stream = new Stream(runtimeOf(rest, calls), manifest, catalogue.size);
  const near = neighbours === undefined ? null : neighboursOf(neighbours, catalogue.size);
  return { calls, recommender: new Recommender(catalogue, stream, 'refuse', near) };
};
const refusal = ({ code, message }) => ({ code, message });
const said = (call) => Promise.resolve().then(call).then(() => null, refusal);
const values = JSON.parse(readFileSync(0));
"""


def run_node(folder, script, values, above=RUNTIME):
    """What a script, the body of an async function of `values`, returns.

    Args:
        folder: an empty one; what is built lies there.
        script: it may call what stands above it.
        values: for JSON.
        above: what is declared there.
    """
    module = find_platform("web").root / "module"
    main = folder / "main.ts"
    (folder / "src").symlink_to(module / "src")
    main.write_text(
        f"{above}\nconst main = async () => {{ {script} }};\n"
        "main().then((result) => console.log(JSON.stringify(result)));\n"
    )
    esbuild = node_modules(module) / "esbuild/bin/esbuild"
    options = ("--bundle", "--platform=node", "--format=cjs", f"--outfile={folder / 'main.cjs'}")
    subprocess.run([esbuild, main, *options, "--log-level=error"], check=True)
    done = subprocess.run(
        ["node", folder / "main.cjs"], input=json.dumps(values), text=True, check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(done.stdout)
