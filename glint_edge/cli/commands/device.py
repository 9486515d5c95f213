"""`glint-edge device list|setup|check`."""

from __future__ import annotations

from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.manners import add, group
from glint_edge.cli.options import Json
from glint_edge.errors import CheckFailed
from glint_edge.tables import columns

Name = Annotated[
    str, typer.Argument(metavar="RUNNER", help="As `bench --runner` takes it: native, arm64, "
                        "ssh:HOST, adb:SERIAL, …")
]  # fmt: skip


def list_(json: Json = False) -> None:
    """Every runner, and whether it can be used; connects to nothing."""
    from device_bench.devices import list_devices

    found = list_devices()
    if json:
        console.show_json({"devices": [device.to_dict() for device in found]})
        return
    rows = [(d.name, d.about, "✓" if d.ready else "✗", d.text) for d in found]
    console.show(columns("runners", ("--runner", "what it is", "ready", ""), rows))


def setup(name: Name, json: Json = False) -> None:
    """Bring and build what a runner needs, for the runtimes that are installed here.

    For 64-bit Arm it downloads their libraries, by pip.
    """
    from device_bench.devices import setup as run

    with console.steps() as on_step:
        run(name, on_step)
    if json:
        console.show_json({"runner": name, "ready": True})
    else:
        console.show(f"{name} is ready: glint-edge bench --runner {name}")


def check(name: Name, json: Json = False) -> None:
    """What a runner needs, asking the device if it is one; exit code 1 if something is missing."""
    from device_bench.devices import check as run

    found = run(name)
    if json:
        rows = [{"what": f.what, "ok": f.ok, "text": f.text} for f in found]
        console.show_json({"runner": name, "findings": rows})
    else:
        marks = [(f.what, "✓" if f.ok else "✗", f.text) for f in found]
        console.show(columns(name, ("needs", "there", ""), marks))
    if lacking := [f for f in found if not f.ok]:
        raise CheckFailed("; ".join(f.text if f.what in f.text else str(f) for f in lacking))


app = group("Where artifacts can be run from here, and what that takes.")
add(app, list_, "glint-edge device list", name="list")
add(app, setup, "glint-edge device setup arm64")
add(app, check, "glint-edge device check adb")
