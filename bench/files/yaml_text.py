"""Reads what a user has written as YAML; whatever it is instead is one line, with file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.errors import BenchError, first_line

if TYPE_CHECKING:
    from pydantic import ValidationError


def read_yaml(path: Path) -> Any:
    """Return what the YAML file at ``path`` holds.

    Raises:
        FileNotFoundError: there is none; who asks knows what there is instead.
        BenchError: it cannot be read, is no UTF-8, or no YAML, or names a key twice.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8-sig"))
        node = loader.get_single_node()
        _refuse_twice(path, node)
        return None if node is None else loader.construct_document(node)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror or error}. Give a YAML file.") from None
    except UnicodeDecodeError as error:
        raise BenchError(f"{path} is not UTF-8: byte {error.start}. Save it again as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BenchError(f"{path}{_place(mark)} is not YAML: {error.problem or error.context}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BenchError(f"{path} is not YAML: {first_line(error)}.") from error


def invalid(path: Path, error: ValidationError, what: str, mend: str, under: Sequence[str] = ()) -> BenchError:
    """Return the error for a YAML file whose values are not what they should be: the first of them, with its line and column.

    Args:
        path: the file.
        error: what its model found.
        what: what the file is not, such as ``does not describe a track``.
        mend: what to do, without a full stop.
        under: where in the file what the model read begins.
    """
    first = error.errors(include_url=False)[0]
    loc = (*under, *first["loc"])
    where = ".".join(map(str, loc)) or "the file"
    message = first["msg"].removeprefix("Value error, ")
    return BenchError(f"{path}{place_of(path, loc)} {what}: {where}: {message}. {mend}.")


def place_of(path: Path, loc: Sequence[str | int]) -> str:
    """Return ``:LINE:COLUMN`` of what ``loc`` leads to in a YAML file, or of the last of it that is there; empty where the file holds nothing."""
    node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    mark = None if node is None else node.start_mark
    for step in loc:
        found = _child(node, step)
        if found is None:
            break
        key, node = found
        mark = key.start_mark
    return _place(mark)


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    """Return the key and the value under ``step``; of a list the item for both."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _place(mark: Any) -> str:
    return "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"


def _refuse_twice(path: Path, node: Any) -> None:
    """Refuse a key that is named twice: YAML's reader keeps the last, and nobody sees the first.

    Raises:
        BenchError: there is one.
    """
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, Any] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise BenchError(f"{path}{_place(key.start_mark)}: {key.value!r} stands twice, first in line {seen[key.value] + 1}. Keep one.")
                seen[key.value] = key.start_mark.line
            _refuse_twice(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_twice(path, each)
