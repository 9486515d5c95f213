"""`glint-edge device list|setup|check`: where artifacts can be run from here."""

from __future__ import annotations

from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping
from glint_edge.cli.manners import add, group
from glint_edge.cli.options import Json
from glint_edge.errors import CheckFailed

Name = Annotated[
    str,
    typer.Argument(
        metavar="RUNNER",
        help="As `bench --runner` takes it: native, arm64, ssh:HOST, adb:SERIAL, …",
    ),
]


def list_(json: Json = False) -> None:
    """Every runner, and whether it can be used; connects to nothing."""
    from glint_edge import api

    devices = api.list_devices()
    listed = {"devices": [device.to_dict() for device in devices]}
    console.show_result(listed, render.devices(devices), json=json)


def setup(name: Name, json: Json = False) -> None:
    """Bring and build what a runner needs, for the runtimes that are installed here.

    For 64-bit Arm it downloads their libraries, by pip.
    """
    from glint_edge import api

    brought = "what was brought and built is kept: the same command goes on"
    with keeping(brought), console.steps() as on_step:
        api.setup_device(name, on_step=on_step)
    text = f"{name} is ready: glint-edge bench --runner {name}"
    console.show_result({"runner": name, "ready": True}, text, json=json)


def check(name: Name, json: Json = False) -> None:
    """What a runner needs, asking the device if it is one; exit code 1 if something is missing."""
    from glint_edge import api

    findings = api.check_device(name)
    rows = [{"what": f.what, "ok": f.ok, "text": f.text} for f in findings]
    listed = {"runner": name, "findings": rows}
    console.show_result(listed, render.findings(name, findings), json=json)
    if lacking := [f for f in findings if not f.ok]:
        raise CheckFailed("; ".join(f.text if f.what in f.text else str(f) for f in lacking))


app = group("Where artifacts can be run from here, and what that takes.")
add(app, list_, "glint-edge device list", name="list")
add(app, setup, "glint-edge device setup arm64")
add(app, check, "glint-edge device check adb")
