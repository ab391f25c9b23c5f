"""Environments: whole or not there, made once, and one clear line for each reason why they cannot be made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bench.parity.environment as made
from bench.errors import BenchError, NotAvailable
from bench.parity.environment import PackageEnvironment, cause, environment
from bench.parity.preference import recipe


def wheel(folder: Path, version: str) -> None:
    """Write a package of one module, as small as a wheel can be."""
    info = f"parcel-{version}.dist-info"
    files = {
        "parcel.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: parcel\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"parcel-{version}-py3-none-any.whl", "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageEnvironment:
    """A recipe of one tiny package, from a folder of wheels and no index."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "1.0")
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "BENCH_PARITY": str(tmp_path / "made"),
    }.items():
        monkeypatch.setenv(name, value)
    requirements = tmp_path / "parcel.txt"
    requirements.write_text("# one\nparcel==1.0\n", encoding="utf-8")
    (tmp_path / "table.txt").write_text("what the wheel leaves out", encoding="utf-8")
    return PackageEnvironment("parcel", requirements, "parcel", 0.001, {"parcel-table.txt": tmp_path / "table.txt"})


def test_it_is_made_once_and_never_counts_half_made(parcel: PackageEnvironment) -> None:
    said: list[str] = []
    python = environment(parcel, rebuild=False, report=said.append)
    assert [line.split(",")[0] for line in said] == ["parcel: 1 of 3", "parcel: 2 of 3", "parcel: 3 of 3"]
    show = (
        "import parcel, pathlib, sys; table = pathlib.Path(parcel.__file__).parent / 'parcel-table.txt'; "
        "print(parcel.version, table.read_text(), 'bench' in sys.modules, 'torchvision_guard' in sys.modules)"
    )
    shown = subprocess.run([python, "-I", "-c", show], capture_output=True, text=True, check=True).stdout
    assert shown == "1.0 what the wheel leaves out False True\n"
    said.clear()
    assert environment(parcel, rebuild=False, report=said.append) == python
    assert said == []  # nothing was done
    # Other pins that cannot be had: what was there does not count any more, and what is left half made does not either.
    parcel.requirements.write_text("parcel==2.0\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(BenchError, match=r"the package index has no parcel==2\.0 for Python 3") as caught:
            environment(parcel, rebuild=False, report=said.append)
        assert "\n" not in str(caught.value) and Path(str(caught.value).rsplit("The log: ", 1)[1].rstrip(".")).is_file()
        assert not (python.parents[1] / "ready.json").exists()


@pytest.mark.parametrize("rebuild", [False, True])
def test_the_same_pins_are_kept_unless_it_is_asked_for(parcel: PackageEnvironment, rebuild: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Path] = []
    monkeypatch.setattr(
        made, "_make", lambda recipe, folder, python, log, report: begun.append(folder) or python.parent.mkdir(parents=True) or python.touch()
    )
    for _ in range(2):
        environment(parcel, rebuild=rebuild, report=print)
    assert len(begun) == 1 + rebuild
    marker = begun[0] / "ready.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "python": "3.11.0rc1"}))
    environment(parcel, rebuild=False, report=print)
    assert len(begun) == 2 + rebuild


def test_a_removal_that_is_interrupted_leaves_nothing_that_counts(parcel: PackageEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "_make", lambda recipe, folder, python, log, report: folder.mkdir())
    environment(parcel, rebuild=False, report=print)
    marker = parcel.requirements.parent / "made" / "parcel" / "ready.json"
    assert marker.is_file()

    def interrupted(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(made.shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment(parcel, rebuild=True, report=print)
    assert not marker.exists()


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_without_wheels_is_refused_before_anything_is_made(
    parcel: PackageEnvironment, version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    with pytest.raises(NotAvailable, match=r"have wheels for Python 3\.11 to 3\.14; this is "):
        environment(parcel, rebuild=False, report=print)
    assert not (parcel.requirements.parent / "made" / "parcel").exists()


def test_too_little_space_is_said_before_anything_is_made(parcel: PackageEnvironment) -> None:
    large = PackageEnvironment("parcel", parcel.requirements, "parcel", 1e9)
    with pytest.raises(BenchError, match=r"Not enough space in .* BENCH_PARITY=FOLDER"):
        environment(large, rebuild=False, report=print)
    assert not (parcel.requirements.parent / "made" / "parcel").exists()


def test_a_folder_that_cannot_be_written_is_one_line(parcel: PackageEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PARITY", str(parcel.requirements / "inside"))
    with pytest.raises(BenchError, match="Cannot write"):
        environment(parcel, rebuild=False, report=print)


LOGS = {
    "the disk is full": "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
    "the package index cannot be reached": "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/hpsv2/\n"
    "ERROR: Could not find a version that satisfies the requirement hpsv2==1.2.0\nERROR: No matching distribution found for hpsv2==1.2.0\n",
    "the package index has no fairscale==0.4.13 for Python": "ERROR: No matching distribution found for fairscale==0.4.13\n",
    "`pip install` failed: Failed building wheel for fairscale": "  gcc: not found\nERROR: Failed building wheel for fairscale\nFailed to build\n",
    "`pip install` failed: Segmentation fault": "Collecting torch\nSegmentation fault\n",
}


@pytest.mark.parametrize("meaning", LOGS)
def test_the_log_says_why(meaning: str) -> None:
    assert cause(LOGS[meaning], "pip install", 1.6).startswith(meaning)


def test_no_network_is_one_line(parcel: PackageEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    parcel.requirements.write_text("parcel==2.0\n", encoding="utf-8")
    with pytest.raises(
        BenchError, match=r"Cannot make the environment of parcel: the package index cannot be reached: .*\. The log: .*parcel\.log\.$"
    ):
        environment(parcel, rebuild=False, report=print)


@pytest.mark.parametrize("name", ["hpsv2", "image-reward"])
def test_every_package_is_pinned_exactly_and_torch_is_ours(name: str) -> None:
    from importlib.metadata import version

    lines = [line for line in recipe(name).requirements.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    assert len(pins) == len(lines)
    assert not any("+" in pin for pin in pins.values())
    assert pins["torch"] == version("torch").partition("+")[0]
    assert all(file.is_file() for file in recipe(name).lacking.values())
    assert {"hpsv2": "1.2.0", "image-reward": "1.5"}[name] == pins[name]
