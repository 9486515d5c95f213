"""Does README's example as a new user does, and notes what each step takes.

    python scripts/try_readme.py FOLDER --json docs/measured/first-steps.json

clones this repository into FOLDER/clone, makes an environment there, and runs what README prints:
the lines of "Install", then the example's, npm's too; the page is not served. Beside the seconds of
each step it notes what the folder has grown by.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from device_bench.measure.machine import conditions, machine  # noqa: E402  # where that path leads


def steps(readme: str) -> list[str]:
    """The command lines, in their order."""
    install = re.search(r"^## Install\n.*?((?:^    [^\n]*\n)+)", readme, re.MULTILINE | re.DOTALL)
    example = re.search(r"^```console\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert install is not None and example is not None
    shown = re.findall(r"^\$ (.*)$", example[1].replace("\\\n", " "), re.MULTILINE)
    lines = [*install[1].splitlines(), *shown]
    return [
        " ".join(line.partition("#")[0].split()).removesuffix(" && npm run preview")
        for line in lines
    ]


def run(steps: list[str], folder: Path) -> list[dict[str, object]]:
    """Run them in one clone, by one shell each, in the environment that they make."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    rows: list[dict[str, object]] = []
    before = _bytes(folder)
    for step in steps:
        start = time.monotonic()
        entered = "if [ -e .venv ]; then . .venv/bin/activate; fi"
        subprocess.run(["sh", "-ec", f"{entered}; {step}"], cwd=clone, check=True)
        seconds, after = time.monotonic() - start, _bytes(folder)
        rows.append({"step": step, "seconds": round(seconds, 1), "bytes": after - before})
        before = after
    return rows


def _bytes(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    chosen = parser.parse_args()
    here = machine()
    document = {
        "machine": {name: here[name] for name in ("system", "cpu", "cpus", "python")},
        "torch": here["packages"]["torch"],
        "load": conditions().load,
        "rows": run(steps((ROOT / "README.md").read_text("utf-8")), chosen.folder),
    }
    chosen.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
