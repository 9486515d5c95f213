"""The wheel's build hook: compile the engine's library; without a C compiler the wheel is pure."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EngineHook(BuildHookInterface):  # type: ignore[type-arg]  # generic in what hatchling builds
    """Builds `glint_edge/engine/_glint.*` beside its sources, and puts it into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the files are gathered; an editable install finds it in the checkout."""
        engine = Path(self.root) / "glint_edge" / "engine"
        spec = importlib.util.spec_from_file_location("engine_library", engine / "library.py")
        assert spec is not None and spec.loader is not None
        library = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(library)
        try:
            built = library.build()
        except library.NoCompilerError as error:
            self.app.display_warning(
                f"the engine is not in this wheel ({error}); its sources are, and after that "
                f"{library.BUILD} builds it"
            )
            return
        build_data["artifacts"].append(str(built.relative_to(self.root)))
        build_data["pure_python"] = False
        build_data["tag"] = library.wheel_tag()
