"""``bench new-method``: writes a small package that holds a working method, whole or not at all."""

from __future__ import annotations

import keyword
import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from string import Template

from bench.errors import BenchError, did_you_mean
from bench.files.atomic import TEMPORARY, mendable
from bench.registry import methods
from bench.types import TRAINED, Kind

_TEMPLATES = Path(__file__).parent / "templates"
KINDS = tuple(kind.value for kind in (Kind.GUIDANCE, Kind.FILTER, Kind.EDIT))


def new_method(name: str, kind: str = "guidance", out: Path | str | None = None) -> Path:
    """Write the package and return its folder.

    It holds an adapter that works, its entry point, a test that asserts every rule of ``bench check-method``, and a README.

    Args:
        name: the method's; also the package's, with underscores for hyphens.
        kind: ``guidance``, ``filter`` or ``edit``: what the adapter is an example of.
        out: the folder to make; ``./NAME`` where None.

    Raises:
        BenchError: the name does not fit or is taken, there is no such kind, or the folder exists or cannot be written.
    """
    module = _module(name)
    _check_kind(kind)
    target = Path(name) if out is None else Path(out)
    if target.exists():
        raise BenchError(f"{target} exists already. Give another folder, with --out, or another name.")
    values = {"name": name, "module": module, "class_name": "".join(word.capitalize() for word in name.split("-"))}
    with mendable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=target.parent) as temporary:
            whole = Path(temporary) / target.name
            for source in sorted(path for each in ("common", kind) for path in (_TEMPLATES / each).rglob("*.template")):
                relative = str(source.relative_to(_TEMPLATES).with_suffix("")).partition("/")[2]
                path = whole / Template(relative).substitute(values)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(Template(source.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
            whole.rename(target)
    return target


def _module(name: str) -> str:
    """Return the package's import name, or refuse ``name``."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise BenchError(f"A method's name is lower case, its words joined by hyphens; got {name!r}. Example: bench new-method my-method.")
    if name in methods:
        raise BenchError(f"There is a method {name!r} already (see `bench show {name}`); choose another name.")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or find_spec(module) is not None:
        raise BenchError(f"A package cannot be called {module!r}: Python knows a word or a module of that name. Choose another name.")
    return module


def _check_kind(kind: str) -> None:
    if kind in TRAINED:
        raise BenchError(
            f"Weights of kind {kind} need no code: bench run --method unet:FOLDER, or lora:FOLDER. "
            f"A package is for what weights cannot say: --kind {', '.join(KINDS)}."
        )
    if kind not in KINDS:
        raise did_you_mean("kind", kind, list(KINDS))
