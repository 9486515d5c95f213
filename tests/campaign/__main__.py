"""The long form: `python -m tests.campaign --inputs 100000 --kills 200 --json counts.json`.

It goes on from what the JSON counts, and stops after `--seconds`: a long run may come in parts.
Faults are printed with how to repeat them: `--only TARGET --number N`.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from tests.campaign.long import Campaign


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--kills", type=int, default=200, help="of all writers together")
    parser.add_argument("--seconds", type=float, default=1e9, help="then stop, and go on next time")
    parser.add_argument("--json", type=Path, help="counts so far; written after each part")
    parser.add_argument(
        "--only",
        default="",
        help="with one of these in their name, with commas",
    )
    parser.add_argument("--number", type=int, help="this one input of a target, and what it says")
    asked = parser.parse_args()
    campaign = Campaign(asked.json, asked.only, time.monotonic() + asked.seconds)
    if asked.number is not None:
        faults = campaign.repeat(asked.number)
    else:
        faults = campaign.run(asked.inputs, asked.kills)
    kinds = Counter()
    for where, what in faults:
        kinds[where.rpartition(" ")[0]] += 1
        sys.stdout.write(f"FAULT {where}\n{what}\n\n")
        sys.stdout.flush()
    sys.stdout.write(json.dumps(kinds) + "\n")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
