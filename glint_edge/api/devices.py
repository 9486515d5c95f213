"""Where artifacts run, and what works on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glint_edge.api.progress import OnStep, shows, silent

if TYPE_CHECKING:
    from device_bench.devices import Device
    from device_bench.runners.arm64 import Finding
    from glint_edge.diagnosis import Report


def list_devices() -> tuple[Device, ...]:
    """Every runner, and whether it can be used; connects to nothing."""
    from device_bench.devices import list_devices as run

    return run()


@shows("on_step", "steps")
def setup_device(name: str, *, on_step: OnStep = silent) -> None:
    """Bring and build what a runner needs, for the runtimes that are installed here."""
    from device_bench.devices import setup

    setup(name, on_step)


def check_device(name: str) -> tuple[Finding, ...]:
    """What a runner needs, and whether it is there, asking the device if it is one."""
    from device_bench.devices import check

    return check(name)


def doctor() -> Report:
    """Which targets work here, and what to install for the others."""
    from converters.targets import ATTRIBUTES, GROUP, targets
    from device_bench.runners.runner import GROUP as RUNNERS
    from glint_edge.diagnosis import diagnose
    from glint_edge.extras import brought
    from glint_edge.runtime import engines

    groups = ((GROUP, ATTRIBUTES), (engines.GROUP, engines.ATTRIBUTES), (RUNNERS, ()))
    return diagnose(
        targets(),
        {f"{group} {name}": why
         for group, attributes in groups
         for name, why in brought(group, attributes).broken.items()},
    )  # fmt: skip
