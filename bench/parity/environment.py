"""An environment of its own for a package whose pins cannot stand beside ours: made once, whole or not there."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from bench import torchvision_guard
from bench.errors import BenchError, NotAvailable
from bench.files.atomic import mendable, write_json

VARIABLE = "BENCH_PARITY"
"""The environment variable that moves the folder of all environments."""
PYTHONS = (3, 11), (3, 14)
"""The first and the last Python that every pinned package has a wheel for."""
_MARKER = "ready.json"
_CAUSES = (
    (r"No space left on device|Errno 28|Disk quota exceeded", "the disk is full: it takes about {size} GB (with CUDA's libraries three times that)"),
    (
        r"NewConnectionError|Failed to establish a new connection|Temporary failure in name resolution|ConnectTimeout|ReadTimeoutError|ProxyError"
        r"|Network is unreachable|Connection refused|Max retries exceeded",
        "the package index cannot be reached: check the network, or the index that pip is set to",
    ),
    (r"No matching distribution found for (\S+)", "the package index has no {match} for Python {python}"),
)
"""What pip's log says, and what that means."""


@dataclass(frozen=True, slots=True)
class PackageEnvironment:
    """How an environment is made.

    Attributes:
        name: of the environment.
        requirements: the file of exact pins.
        module: is imported at the end, to see that it can be.
        size: gigabytes on disk with a CPU build of torch.
        lacking: files that the package's wheel leaves out: where in the environment's site-packages to what file.
    """

    name: str
    requirements: Path
    module: str
    size: float
    lacking: Mapping[str, Path] = field(default_factory=dict)


def environments_folder() -> Path:
    """Return the folder of all environments and their logs: ``$BENCH_PARITY``, or ``~/.cache/t2i-safety-bench/parity``."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/t2i-safety-bench/parity").expanduser()


def environment(recipe: PackageEnvironment, *, rebuild: bool, report: Callable[[str], None]) -> Path:
    """Return the Python of an environment, made where it is missing or was made from other pins.

    A marker is written last; what has none is removed and made again.

    Args:
        recipe: what to make.
        rebuild: make it again even if it is there.
        report: is told each long step, one line.

    Raises:
        NotAvailable: this Python is older or newer than the pinned packages.
        BenchError: no network, no space, or a build failed; the message names the log.
    """
    folder = environments_folder() / recipe.name
    python = folder / "bin" / "python"
    pins = sha256(recipe.requirements.read_bytes()).hexdigest()
    wanted = {"requirements": pins, "python": sys.version.split()[0], "lacking": sorted(recipe.lacking)}
    with mendable(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with _held(folder.with_suffix(".lock"), report):
        if not rebuild and _marker(folder / _MARKER) == wanted and python.exists():
            return python
        if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
            first, last = (".".join(map(str, each)) for each in PYTHONS)
            raise NotAvailable(
                f"The packages that {recipe.name} is pinned to have wheels for Python {first} to {last}; this is {wanted['python']}. "
                f"Run `bench parity {recipe.name}` with one of these."
            )
        with mendable(folder):
            (folder / _MARKER).unlink(missing_ok=True)  # first: what is half removed must not count
            shutil.rmtree(folder, ignore_errors=True)
            free = shutil.disk_usage(folder.parent).free / 1e9
        if free < recipe.size:
            raise BenchError(
                f"Not enough space in {folder.parent}: the environment of {recipe.name} takes about {recipe.size} GB (with CUDA's libraries three "
                f"times that), {free:.1f} are free. Free some, or name another folder: {VARIABLE}=FOLDER."
            )
        log = folder.with_suffix(".log")
        log.unlink(missing_ok=True)
        _make(recipe, folder, python, log, report)
        write_json(folder / _MARKER, wanted)
    return python


def _make(recipe: PackageEnvironment, folder: Path, python: Path, log: Path, report: Callable[[str], None]) -> None:
    report(f"{recipe.name}: 1 of 3, an environment of its own in {folder} (log: {log})")
    _run(recipe, [sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)], log, "python -m venv")
    pins = [line for line in recipe.requirements.read_text(encoding="utf-8").splitlines() if "==" in line and not line.startswith("#")]
    report(f"{recipe.name}: 2 of 3, installing {len(pins)} pinned packages, about {recipe.size} GB and some minutes")
    # Our pip installs into it. With -I, no PYTHONPATH and no user's packages come in.
    pip = [sys.executable, "-I", "-m", "pip", "--python", str(python), "install"]
    options = ["--no-input", "--disable-pip-version-check", "--retries", "2", "--timeout", "60", "-r", str(recipe.requirements)]
    _run(recipe, [*pip, *options], log, "pip install")
    packages = next(folder.glob("lib*/**/site-packages"))
    for place, file in recipe.lacking.items():
        shutil.copyfile(file, packages / place)
    # PyPI's torchvision does not import beside a CPU build of torch without it.
    guard = Path(torchvision_guard.__file__)
    shutil.copyfile(guard, packages / guard.name)
    (packages / "torchvision_guard.pth").write_text("import torchvision_guard; torchvision_guard.install()\n", encoding="utf-8")
    report(f"{recipe.name}: 3 of 3, importing {recipe.module}")
    _run(recipe, [str(python), "-I", "-c", f"import {recipe.module}"], log, f"import {recipe.module}")


def _run(recipe: PackageEnvironment, command: Sequence[str], log: Path, step: str) -> None:
    """Run one step of the making, its output in the log.

    Raises:
        BenchError: it failed.
    """
    with mendable(log), log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(command)}\n")
        stream.flush()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}  # pip starts itself again, without -I
        code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=clean).returncode
    if code:
        text = log.read_text(encoding="utf-8", errors="replace")
        raise BenchError(f"Cannot make the environment of {recipe.name}: {cause(text, step, recipe.size)}. The log: {log}.")


def cause(log: str, step: str, size: float) -> str:
    """Return why a step failed, in one line, from its log."""
    for pattern, meaning in _CAUSES:
        found = re.search(pattern, log)
        if found:
            return meaning.format(size=size, match=found[found.lastindex or 0], python=sys.version.split()[0])
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error: ")] or lines[-1:]
    return f"`{step}` failed: {errors[-1].removeprefix('ERROR: ').removeprefix('error: ').rstrip('.')}"


def _marker(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


@contextmanager
def _held(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time make an environment; others wait and find it made."""
    with mendable(path):
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"another process is making {path.stem}: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def open_clip_vocabulary() -> Path:
    """Return the file that hpsv2's wheel leaves out, from our open_clip, of which hpsv2 carries a copy."""
    spec = find_spec("open_clip")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(*folders[:1]) / "bpe_simple_vocab_16e6.txt.gz"
