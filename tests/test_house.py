"""The plan of the house: no import circle, few floors, few loose files, one name one thing. All of it is computed from the sources."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "methods", "training", "leaderboards")
FLOORS = 9
LOOSE = 10


def sources() -> dict[str, Path]:
    """Every module of the four packages by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = sources()
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in SOURCES.items()}


def arrows(tree: ast.AST) -> Iterator[str]:
    """What a module imports of ours: at its top, inside functions, and for types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in SOURCES)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in SOURCES else node.module for name in whole if name in SOURCES or node.module in SOURCES)


GRAPH = {module: set(arrows(tree)) - {module} for module, tree in TREES.items()}


def room(module: str) -> str:
    """The file or folder, directly in its package, that a module belongs to; a package's own ``__init__`` is a room too."""
    return ".".join(module.split(".")[:2])


def rooms(package: str) -> dict[str, set[str]]:
    """The rooms of a package, each with those that it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, targets in GRAPH.items():
        if module.split(".")[0] == package:
            found[room(module)] |= {room(each) for each in targets if each.split(".")[0] == package} - {room(module)}
    return found


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Each room's floor: one more than the highest floor that it imports."""
    found: dict[str, int] = {}
    for each in TopologicalSorter(graph).static_order():
        found[each] = 1 + max((found[other] for other in graph[each]), default=0)
    return found


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """An import circle; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_file_imports_itself_by_way_of_others() -> None:
    assert circle(GRAPH) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_imports_itself_by_way_of_others(package: str) -> None:
    assert circle(rooms(package)) == []


def test_bench_has_few_floors() -> None:
    assert max(floors(rooms("bench")).values()) <= FLOORS


def test_bench_has_few_loose_files() -> None:
    assert len(list((ROOT / "bench").glob("*.py"))) <= LOOSE


def test_the_graph_sees_lazy_and_type_only_imports() -> None:
    lazy = "def f():\n    from bench.stats import holm\n"
    typed = "if TYPE_CHECKING:\n    import bench.rules\n    from bench import errors\n"
    assert set(arrows(ast.parse(lazy))) == {"bench.stats"}
    assert set(arrows(ast.parse(typed))) == {"bench.rules", "bench.errors"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert floors({"a": {"b"}, "b": set()}) == {"a": 2, "b": 1}


def test_two_things_never_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module, tree in TREES.items():
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
