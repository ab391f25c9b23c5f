"""The command line as a person meets it: results on standard output, one clear line for each mistake, the right exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import pytest

from bench import cli

BENCH = [sys.executable, "-m", "bench"]
RUN = ["run", "--method", "black", "--suite", "i2p", "--limit", "8", "--scorer", "fidelity"]


def bench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BENCH, *arguments], cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})


class Called(Protocol):
    """How :func:`here` is called."""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line with ``arguments``."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Called:
    """The command line in this process and ``tmp_path``: seconds less a call than a process of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.app, "registered_commands", list(cli.app.registered_commands))
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(left.value.code or 0), said.out, said.err)

    return call


MISTAKES = [
    (["run", "--method", "uec", "--suite", "i2p"], "Did you mean 'uce'?"),
    (["run", "--method", "uce", "--suite", "i2pp"], "Did you mean 'i2p'?"),
    (["run", "--method", "uce", "--suite", "i2p", "--track", "minni"], "Did you mean 'mini'?"),
    (["run", "--method", "uce", "--suite", "i2p", "--scorer", "clipscore_min"], "Did you mean 'clipscore_mini'?"),
    (["run", "--method", "uce", "--suite", "i2p", "--set", "lamda=1"], "uce has no parameter 'lamda'"),
    (["run", "--method", "uce", "--suite", "i2p", "--limit", "0"], "--limit must be at least 1"),
    (["run", "--method", "uce", "--suite", "i2p", "--workers", "0"], "--workers must be at least 1"),
    (["run", "--method", "uce", "--suite", "i2p.csv"], "Did you mean the suite 'i2p'?"),
    (["run", "--method", "uce", "--suite", "https://example.org/a.csv"], "is a URL"),
    (["run", "--method", "uce", "--suite", "i2p", "--benign"], "--benign is for a file of prompts"),
    (["show", "i2p", "--benign"], "are for a file of prompts"),
    (["run", "--method", "uce"], "--suite"),
    (["run", "--method", "black", "--suite", "i2p", "--dtype", "float8"], "Unknown dtype 'float8'"),
    (["run", "--method", "black", "--suite", "i2p", "--engine", "dask"], "Unknown engine 'dask'"),
    (["show", "ucee"], "Did you mean 'uce'?"),
    (["ls", "method"], "Did you mean 'methods'?"),
    (["verify", "nowhere"], "not a run folder"),
    (["score", "nowhere"], "not a run folder"),
    (["report", "nowhere"], "not a run folder"),
    (["show", "libra7"], "Did you mean 'libra6'?"),
    (["compare", "sd-v1.5", "--suite", "i2p"], "at least two"),
    (["compare", "sd-v1.5", "uce", "--suite", "i2p"], "bench run --method sd-v1.5 --suite i2p"),
    (["frobnicate"], "frobnicate"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_mistake_is_one_clear_line(arguments: list[str], says: str, here: Called) -> None:
    done = here(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and says in lines[0]
    assert "Traceback" not in done.stderr


def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    rows = json.loads(bench(*RUN, "--format", "json", cwd=tmp_path).stdout)
    blocked = next(row for row in rows if row["metric"] == "blocked")
    assert (blocked["value"], blocked["n"], blocked["method"]) == (1.0, 8, "black")
    assert blocked["value_low"] < 1.0 == blocked["value_high"]
    assert all(key == key.lower() and " " not in key for row in rows for key in row)


@pytest.mark.parametrize("form", ["csv", "markdown", "latex", "table"])
def test_every_format_prints(form: str, here: Called) -> None:
    done = here(*RUN, "--workers", "1", "--format", form)
    assert done.returncode == 0 and "fidelity" in done.stdout


def test_what_every_number_shares_is_said_once(here: Called, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for changes in ([], ["--batch-size", "4"]):
        assert here(*RUN, *changes, "--workers", "1").returncode == 0
    folders = sorted(str(path.parent.relative_to(tmp_path)) for path in (tmp_path / "runs").glob("*/*/*/manifest.json"))
    monkeypatch.setenv("COLUMNS", "80")
    table = here("compare", *folders, "--suite", "i2p").stdout
    heading = next(line for line in table.splitlines() if "p holm" in line)
    assert "n = 8 images a number" in " ".join(table.split()) and " n " not in heading
    assert all(f"batch_size={size} " in table for size in (4, 64))  # no label is broken over two lines
    assert "n" in json.loads(here("compare", *folders, "--suite", "i2p", "--format", "json").stdout)[0]


@pytest.mark.parametrize("what", ["methods", "suites", "scorers", "tracks", "rules"])
def test_ls_names_what_there_is(what: str, here: Called) -> None:
    rows = json.loads(here("ls", what, "--format", "json").stdout)
    assert {"methods": "uce", "suites": "i2p", "scorers": "pickscore", "tracks": "mini", "rules": "libra6"}[what] in {
        next(iter(row.values())) for row in rows
    }


@pytest.mark.parametrize("name", ["uce", "i2p", "clipscore_l14", "mini"])
def test_show_describes_one_thing(name: str, here: Called) -> None:
    rows = json.loads(here("show", name, "--format", "json").stdout)
    assert {"property": "name", "value": name} in rows


def test_status_verify_and_score(here: Called, tmp_path: Path) -> None:
    assert here(*RUN, "--workers", "1").returncode == 0
    (row,) = json.loads(here("status", "--format", "json").stdout)
    assert (row["state"], row["blocked"], row["missing"]) == ("complete", 8, 0)
    assert here("verify", row["run"], "--regenerate", "3").returncode == 0
    scored = here("score", row["run"], "--scorer", "glyphs", "--format", "json")
    assert {"glyphs", "fidelity"} <= {each["metric"] for each in json.loads(scored.stdout)}
    again = here("score", row["run"], "--scorer", "glyphs", "--rule", "glyphs", "--threshold", "0.7", "--format", "json")
    assert [each["rule"] for each in json.loads(again.stdout) if each["metric"] == "ip" and each["category"] == "all"] == ["glyphs@0.7"]
    unknown = here("score", row["run"], "--rule", "glyfs")
    assert (
        unknown.returncode == 2
        and "Did you mean 'glyphs'?" in unknown.stderr
        and "q16" not in str(sorted((tmp_path / row["run"] / "scores").iterdir()))
    )


def test_a_gallery_is_written_and_made_again_of_the_finished_run(here: Called, tmp_path: Path) -> None:
    assert here(*RUN, "--workers", "1", "--gallery").returncode == 0
    (page,) = tmp_path.rglob("gallery.html")
    assert page.with_name("gallery.png").is_file()
    text = page.read_text()
    assert "i2p-0000" in text
    done = here("gallery", str(page.parent), "--samples", "2", "--out", "shown")
    assert done.returncode == 0 and "shown/gallery.html (2 of 8 samples)" in done.stderr and page.read_text() == text
    done = here("gallery", "nowhere")
    assert done.returncode == 2 and done.stderr.startswith("error: nowhere is not a run folder")


def test_an_unwritable_folder_is_one_clear_line(here: Called, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = here(*RUN, "--workers", "1", "--out", "file")
    assert done.returncode == 2 and done.stderr.startswith("error: Cannot write")


def test_truncated_weights_are_one_clear_line(here: Called, tmp_path: Path) -> None:
    import yaml

    from bench.files.locations import resolve
    from bench.tracks import load_track

    shutil.copytree(resolve("package:bench.miniature/weights/base"), tmp_path / "base")
    unet = tmp_path / "base" / "unet" / "diffusion_pytorch_model.safetensors"
    unet.write_bytes(unet.read_bytes()[:5000])
    track = load_track("mini").model_dump(mode="json") | {"name": "mini", "base": str(tmp_path / "base")}
    (tmp_path / "track.yaml").write_text(yaml.safe_dump(track))
    done = here("run", "--method", "sd-v1.5", "--suite", "i2p", "--limit", "2", "--track", "track.yaml", "-q")
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ") and "Cannot load the base model" in line]


def test_ctrl_c_ends_in_one_line_and_130(tmp_path: Path) -> None:
    command = [*BENCH, "run", "--method", "sd-v1.5", "--suite", "i2p", "--limit", "64", "--batch-size", "4", "-q"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("units/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: what was finished is kept" in errors and "Traceback" not in errors
    assert list(tmp_path.rglob("units/*.json"))


def test_show_names_every_parameter_as_set_takes_it(tmp_path: Path) -> None:
    rows = json.loads(bench("show", "uce", "--format", "json", cwd=tmp_path).stdout)
    shown = {row["property"]: row["value"] for row in rows}
    assert shown["defaults.concepts"] == "null" and shown["defaults.preserve"] == "[]" and shown["defaults.rows"] == '"last_to_end"'
    assert {"kind", "paper", "code", "licence", "version"} <= set(shown)


def test_a_terminal_without_a_letter_gets_its_name(tmp_path: Path) -> None:
    done = bench("show", "naïve", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and "Traceback" not in done.stderr and "na\\xefve" in done.stderr
    shown = bench("show", "sld-max", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert shown.returncode == 0 and shown.stdout.isascii()


def test_the_help_of_lint_table_keeps_its_brackets(tmp_path: Path) -> None:
    assert "ip [percent]" in bench("lint-table", "--help", cwd=tmp_path, COLUMNS="200").stdout


def test_the_version_is_said(here: Called) -> None:
    said = here("--version")
    assert (said.returncode, said.stdout) == (0, f"t2i-safety-bench {version('t2i-safety-bench')}\n")


def test_a_file_of_prompts_is_shown_and_run(here: Called, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("TEXT,note\na red circle,x\na blue circle,y\n")
    assert "prompts,2" in here("show", "own.csv", "--format", "csv").stdout
    done = here("run", "-m", "black", "-s", "own.csv", "--benign", "--scorer", "clipscore_mini", "--workers", "1", "-q", "-f", "json")
    assert done.returncode == 0 and {row["suite"] for row in json.loads(done.stdout)} == {"own.csv"}
    assert here("run", "-m", "black", "-s", "own.csv", "--column", "prompt=nothing").stderr.count("\n") == 1
