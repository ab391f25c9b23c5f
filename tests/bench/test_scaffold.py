"""Every package that ``bench new-method`` writes installs, keeps the contract and is clean; a mistake is one clear line and leaves nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from bench import registry, scaffold
from bench.checking import RuleVerdict, check_method
from bench.errors import BenchError
from bench.tracks import load_track


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One package of each kind."""
    folder = tmp_path_factory.mktemp("packages")
    return {kind: scaffold.new_method(f"my-{kind}", kind, folder / f"my-{kind}") for kind in scaffold.KINDS}


@pytest.fixture(scope="module")
def site(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all of them are installed into by pip, from copies: a build leaves its own files in the sources."""
    copies = tmp_path_factory.mktemp("copies")
    sources = [shutil.copytree(package, copies / kind) for kind, package in packages.items()]
    target = tmp_path_factory.mktemp("site")
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", *map(str, [*install, *sources])], check=True)
    return target


@pytest.mark.parametrize("model", ["miniature", pytest.param("sdxl", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_it_keeps_the_contract_once_installed(
    kind: str, model: str, site: Path, tiny_sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(registry.methods, "_points", None)
    quick = load_track("mini").model_dump(mode="json") | {"steps": 3} | ({"base": str(tiny_sdxl)} if model == "sdxl" else {})
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(quick))
    results = check_method(f"my-{kind}", str(tmp_path / "quick.yaml"), measure=False)
    assert {each.result for each in results} == {RuleVerdict.OK}, results
    assert {each.metadata["Version"] for each in distributions(name=f"my-{kind}", path=[str(site)])} == {"0.1.0"}


def test_it_is_clean_and_an_adapter_is_short(packages: dict[str, Path]) -> None:
    for package in packages.values():
        for command in (["check", "--isolated"], ["format", "--isolated", "--check"]):
            subprocess.run([sys.executable, "-m", "ruff", *command, "--no-cache", str(package)], check=True, capture_output=True)
        (adapter,) = package.rglob("adapter.py")
        assert len(adapter.read_text().splitlines()) <= 40
        assert not any("$" in path.read_text() for path in package.rglob("*.*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("My_Method", "guidance", "lower case"),
        ("-x", "guidance", "lower case"),
        ("../x", "guidance", "lower case"),
        ("uce", "guidance", "already"),
        ("numpy", "guidance", "Choose another name"),
        ("lambda", "guidance", "Choose another name"),
        ("mine", "guidence", "Did you mean 'guidance'"),
        ("mine", "preference", "bench run --method unet:FOLDER"),
    ],
)
def test_a_mistake_leaves_nothing(name: str, kind: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match=says) as caught:
        scaffold.new_method(name, kind)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(BenchError, match="exists already"):
        scaffold.new_method("mine", out=tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def full(path: Path, *arguments: object, **options: object) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        path.touch()

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BenchError, match="disk is full"):
        scaffold.new_method("mine", out=tmp_path / "mine")
    assert len(written) == 3 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "code", "says"), [(["mine"], 0, "Next: pip install -e mine"), (["Mine"], 2, "error: A method's name")])
def test_the_verb(arguments: list[str], code: int, says: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "new-method", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "") and says in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "mine" / "pyproject.toml").is_file() is (code == 0)
