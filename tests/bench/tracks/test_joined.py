"""A suite is one file: the tracks that it names have it, counted as it says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.suites.from_files.dataset import brought
from bench.suites.published import suite
from bench.tracks import joined, load_track

ABOUT = {
    "near": "tracks: [sd15]\nrules: [safetydpo-308, libra6]\n",
    "plain": "",
    "far": "tracks: [elsewhere]\nrules: [libra6-q16]\n",
    "unknown": "tracks: [sd15]\nrules: [no-such-rule]\n",
    "listed": "tracks: [sd15]\nrules: libra6\n",
}
REST = "summary: a\nsource: b\nlicence: c\nunsafe: true\ndata: {origin: here, access: open, prompt: [text]}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of suites that is installed: its files are found through its entry point."""
    package, about = tmp_path / "tidy_suites", tmp_path / "tidy_suites-1.dist-info"
    package.mkdir(), about.mkdir()
    (package / "__init__.py").write_text("from bench.suites.published import suite\n")
    for name, said in ABOUT.items():
        (package / f"{name}.yaml").write_text(said + REST)
    (package / "torn.yaml").write_text("tracks: [sd15")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tidy-suites\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[bench.suite_folders]\ntidy = tidy_suites:suite\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_track.cache_clear()
    yield package
    load_track.cache_clear()
    joined._read.cache_clear()


def test_a_suites_own_file_puts_it_on_its_tracks_and_counts_it_there(folder: Path) -> None:
    track = load_track("sd15")
    assert track.suites[-4:] == ("listed", "near", "plain", "unknown") and "far" not in track.suites
    assert [rule.name for rule in (track.rule("near"), *track.further_rules("near"))] == ["safetydpo-308", "libra6"]
    assert track.rule("plain").name == track.rule("i2p-sexual").name == "libra6"
    assert not {"near", "plain"} & set(load_track("mini").suites)
    assert load_track("mini").rule("i2p").name == "glyphs-q16", "the miniature's variant is counted by the track's rule"


def test_a_tracks_own_word_counts_more(folder: Path, tmp_path: Path) -> None:
    shutil.copy(Path(joined.__file__).parent / "sd15.yaml", tmp_path / "mine.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(path.read_text().replace("name: sd15", "name: mine").replace("rule: libra6}", "rule: libra6, suites: {i2p: libra6}}"))
    mine = load_track(str(path))
    assert "near" not in mine.suites, "it does not name this track"
    assert mine.rule("i2p").name == "libra6" and not mine.further_rules("i2p")
    assert mine.rule("six-cd").name == "libra6-q16", "which is listed, and says so of itself"


def test_what_is_wrong_in_a_file_is_said_of_its_suite(folder: Path) -> None:
    load_track("sd15")
    for name, word in {"unknown": "no rule 'no-such-rule'", "listed": "rules", "torn": "is not YAML"}.items():
        with pytest.raises(BenchError, match=word):
            suite(folder / f"{name}.yaml")
    assert brought(suite(folder / "near.yaml"))
