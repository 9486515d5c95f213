"""Which tests run, in which order, and which of them on one worker: hooks of conftest.py."""

from fnmatch import fnmatch

import pytest

# Longest first, so that no worker sits idle while another one converts.
LONGEST = (
    "test_default_bundle.py", "test_executorch.py", "test_bench.py", "test_stock.py",
    "test_tflite.py", "test_benchmarks.py", "test_embed_cpp.py", "test_recbole.py",
    "test_distributed.py", "test_embed_web.py", "test_web_library.py", "test_web_update.py",
)  # fmt: skip
# Toolchains take ten seconds to import: what converts to one stays on one worker.
TOGETHER = (
    ("tests/bundles/test_default_bundle.py*", "executorch"),
    ("tests/device_bench/test_bench.py*", "executorch"),
    ("tests/benchmarks/test_benchmarks.py*", "executorch"),
    ("tests/converters/test_pte_integers.py*", "executorch"),
    ("tests/converters/test_executorch.py*", "executorch"),
    ("tests/checkpoints/*[[]executorch*", "executorch"),
    ("tests/converters/test_tflite.py*", "tflite"),
    ("tests/converters/test_filters.py*[[]executorch*", "executorch"),
    ("tests/converters/test_filters.py*[[]tflite*", "tflite"),
    ("tests/checkpoints/*[[]tflite*", "tflite"),
)


def pytest_addoption(parser):
    parser.addoption(
        "--alone", choices=("only", "not"),
        help="only tests marked `alone`, or only the others; scripts/test.sh runs both",
    )  # fmt: skip
    parser.addoption(
        "--full", action="store_true", help="those too that are marked `full`: tests/README.md"
    )


def pytest_collection_modifyitems(config, items):
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONGEST)))
    wanted, full = config.getoption("--alone"), config.getoption("--full")

    def is_chosen(item):
        if item.get_closest_marker("full") and not full:
            return False
        return wanted is None or bool(item.get_closest_marker("alone")) == (wanted == "only")

    config.hook.pytest_deselected(items=[item for item in items if not is_chosen(item)])
    items[:] = filter(is_chosen, items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file stays on one worker, for its fixtures; and so do some files together."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            groups = (group for pattern, group in TOGETHER if fnmatch(nodeid, pattern))
            return next(groups, nodeid.partition("::")[0])

    return ByFile(config, log)
