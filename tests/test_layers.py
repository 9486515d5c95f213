"""The shape of the project: imports point one way, the command line starts quickly."""

import ast
import re
import subprocess
import sys
import tomllib
from copy import deepcopy
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT = ROOT / "pyproject.toml"
PROJECT = tomllib.loads(PYPROJECT.read_text("utf-8"))
CONTRACTS = {each["id"]: each for each in PROJECT["tool"]["importlinter"]["contracts"]}
LAYERS = [name for name, contract in CONTRACTS.items() if contract["type"] == "layers"]
ENTRY_POINTS = PROJECT["project"]["entry-points"]
AROUND = ("converters", "device_bench", "quantization")  # the product
PACKAGES = ("glint_edge", *AROUND)


@pytest.fixture(scope="module")
def imports():
    """Every import of the four packages, and what strings and entry points import."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    count_strings(graph)
    count_entry_points(graph, ENTRY_POINTS)
    return graph


@cache
def strings(module):
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    values = (node.value for node in nodes if isinstance(node, ast.Constant))
    return frozenset(value for value in values if isinstance(value, str))


def count_strings(graph):
    """A module's whole name in a string is how it is imported late, or run as a process."""
    for module in graph.modules:
        for name in strings(module) & (graph.modules - {module}):
            if "." in name:  # the packages' own names are words, and loggers'
                graph.add_import(importer=module, imported=name)


def count_entry_points(graph, groups):
    """Who reads a group imports what it names."""
    for module in graph.modules:
        for group in strings(module) & set(groups):
            for named in groups[group].values():
                graph.add_import(importer=module, imported=named.partition(":")[0])


def without_exempt(graph, contract):
    """The imports that no contract forbids: by `api`."""
    graph = deepcopy(graph)
    for expression in contract["ignore_imports"]:
        importer, imported = (
            re.compile(re.escape(side.strip()).replace(r"\*\*", ".+"))
            for side in expression.split("->")
        )
        for module in filter(importer.fullmatch, graph.modules):
            for other in filter(
                imported.fullmatch, graph.find_modules_directly_imported_by(module)
            ):
                graph.remove_import(importer=module, imported=other)
    return graph


def broken(graph, contract):
    layers = [
        grimp.Layer(*(name.strip() for name in layer.split("|")), independent=True)
        for layer in contract["layers"]
    ]
    graph = without_exempt(graph, contract) if "ignore_imports" in contract else graph
    return graph.find_illegal_dependencies_for_layers(
        layers=layers, containers=contract.get("containers")
    )


def test_the_contracts_are_kept():
    # In a process of its own: it sets logging up anew.
    script = (
        "import sys; from importlinter.cli import lint_imports;"
        f"sys.exit(lint_imports({str(PYPROJECT)!r}, no_cache=True))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", LAYERS)
def test_the_layers_hold_where_strings_and_entry_points_import(name, imports):
    assert not broken(imports, CONTRACTS[name])


@pytest.mark.parametrize("name", LAYERS)
def test_an_upward_import_breaks_the_contract(name, imports):
    contract, graph = CONTRACTS[name], deepcopy(imports)
    (container,) = contract.get("containers", [""])
    top, bottom = (
        ".".join(filter(None, (container, contract["layers"][at].split(" | ")[0])))
        for at in (0, -1)
    )
    graph.add_import(importer=bottom, imported=top)
    assert broken(graph, contract)


def reached(graph):
    """Chains of imports from the product to the packages around it, but those of its api."""
    graph = without_exempt(graph, CONTRACTS["packages"])
    chains = {
        name: graph.find_shortest_chains("glint_edge", name, as_packages=True) for name in AROUND
    }
    return {name: each for name, each in chains.items() if each}


def test_nothing_but_the_api_reaches_the_packages_around_the_product(imports):
    assert reached(imports) == {}


def test_an_entry_point_counts_as_an_import(imports):
    graph = deepcopy(imports)
    count_entry_points(graph, {"glint_edge.engines": {"onnx": "converters.targets:ONNX"}})
    assert ("glint_edge.runtime.engines", "converters.targets") in {
        (chain[0], chain[-1]) for chain in reached(graph)["converters"]
    }


def test_every_group_of_entry_points_is_read(imports):
    assert all(any(group in strings(m) for m in imports.modules) for group in ENTRY_POINTS)


@pytest.mark.parametrize(
    "statement",
    ["import glint_edge.cli.app", "import glint_edge", "import converters", "import device_bench"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement):
    heavy = "{'torch', 'executorch', 'torchao', 'onnx', 'polars', 'matplotlib', 'numpy'}"
    script = f"import sys; {statement}; print(sorted({heavy} & set(sys.modules)))"
    if statement in ("import converters", "import device_bench"):
        script = script.replace(heavy, "{'executorch', 'torchao', 'onnx', 'matplotlib'}")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_module_is_a_drawer():
    names = {path.stem for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert not names & {"utils", "helpers", "misc", "common"}


SOURCES = [
    path
    for folder in (*PACKAGES, "scripts", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def test_no_file_is_longer_than_300_lines():
    lines = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {path: count for path, count in lines.items() if count > 300} == {}


def code_lines(function):
    """Of its body; a signature and a docstring are as long as what they say of arguments."""
    statements = function.body[ast.get_docstring(function) is not None :]
    return function.end_lineno - statements[0].lineno + 1 if statements else 0


def test_no_function_is_longer_than_60_lines_of_code():
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > 60
    ]
    assert long == []
