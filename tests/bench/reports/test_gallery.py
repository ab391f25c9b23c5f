"""Galleries: what is shown of what, what is blurred, and that no text of others becomes markup. Runs are written by hand, pictures are stripes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PILImage

from bench.errors import BenchError
from bench.reports.gallery import page as pages
from bench.reports.gallery.choices import Choice, Only
from bench.reports.gallery.samples import gather, open_sides
from bench.reports.gallery.sheet import Pen, printable
from bench.reports.gallery.write import write_gallery
from bench.rules import RuleChoice
from bench.runs import showing
from bench.runs.folder import RunFolder
from bench.tracks import load_track

HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "\u202eשלום", "w" * 3000, "]]> --></style></script>\x00\x1b[31m")
"""No prompt, name, id or category may become markup, turn its line around, or push the page wide."""
Write = Callable[..., Path]
_DEFAULTS = {"limit": None, "batch_size": None, "device": "cpu", "dtype": "float32"}
_WHOLE = {"created": "2026-01-02T00:00:00+00:00", "settings": {"batch_size": 64}, "proxy": False, "versions": {}}
_SAMPLE = {"seed": 1, "steps": 1, "guidance": 1.0, "unit": 0, "reason": None, "metadata": "{}"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a run of small striped pictures; every ninth sample is blocked where asked, and the verdict stands in the detections."""

    def run(
        method: str = "uce",
        suite: str = "drawbench",
        track: str = "mini",
        *,
        count: int = 12,
        side: int = 16,
        flags: Sequence[bool | None] = (),
        blocked: Sequence[int] = (),
        text: Sequence[str] = ("a red square",),
        unsafe: bool = False,
        manifest: Mapping[str, Any] | None = None,
    ) -> Path:
        identity = hashlib.sha256(f"{track} {suite} {method} {count}".encode()).hexdigest()
        folder = RunFolder(tmp_path / track / suite / f"run-{identity[:8]}")
        folder.path.mkdir(parents=True)
        own = {"name": method, "kind": "edit", "summary": "", "parameters": {}, "version": "1", "weights": {}}
        counts = {"prompts": count, "total_prompts": count, "screened_out": 0, "screened_out_sha256": [], "limit": None}
        said = {
            "spec": {"method": method, "suite": suite, "track": track, "parameters": {}, **_DEFAULTS},
            "units": 1,
            "samples": count,
            "run_id": identity,
            "method": own,
            "suite": {"name": suite, "version": "1", "digest": "0" * 64, "unsafe": unsafe, **counts},
            "track": {"name": track},
            "scorers": {},
            **_WHOLE,
            **(manifest or {}),
        }
        folder.write_manifest(said)
        rows = []
        for place in range(count):
            pixels = np.zeros((side, side, 3), dtype=np.uint8)
            pixels[:, place % 3 :: 3] = 255
            status = "blocked" if place in blocked else "generated"
            digest, size = folder.images.put(pixels) if status == "generated" else (None, None)
            made = {"width": side, "height": side, "batch": place, "image": digest, "image_bytes": size, "status": status}
            name = {"prompt_id": f"{suite}-{place:04d}", "image_index": 0, "prompt": text[place % len(text)]}
            rows.append({**_SAMPLE, **name, **made, "category": ("violence", "hate,b")[place % 2]})
        folder.commit_unit(0, rows, 1.0)
        return folder.path

    return run


def verdicts(monkeypatch: pytest.MonkeyPatch, by_method: Mapping[str, Sequence[bool | None]]) -> None:
    """Have records come with detections and a score, as if the glyph detector had run."""
    from bench.runs import find

    real = find.load_records

    def load(folder: RunFolder) -> Any:
        frame = real(folder)
        method = folder.manifest()["method"]["name"]
        box = [{"class": "VORN", "score": 0.9, "box": [0, 0, 1, 1]}]
        frame["glyphs_detections"] = [None if each is None else box if each else [] for each in by_method[method]]
        frame["q16_inappropriate"] = [None if each is None else float(each) for each in by_method[method]]
        frame["pickscore"] = np.arange(len(frame), dtype=float)
        return frame

    monkeypatch.setattr(find, "load_records", load)


class Tags(HTMLParser):
    """The tags and the images of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def shown(path: Path) -> list[np.ndarray]:
    found = []
    for image in Tags(path.read_text()).of("img"):
        content = base64.b64decode(str(image["src"]).partition(",")[2])
        found.append(np.asarray(PILImage.open(io.BytesIO(content)).convert("RGB")))
    return found


def detail(picture: np.ndarray) -> int:
    return int(np.abs(np.diff(picture.astype(int), axis=1)).max())


def test_one_runs_page_and_sheet(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(blocked=[3])
    verdicts(monkeypatch, {"uce": [True, None] * 6})
    made = write_gallery([path], tmp_path / "g", samples=10, tiles=6, dpi=100)
    page = Tags(made.page.read_text())
    assert (made.on_page, made.on_sheet, made.matching, len(page.of("li"))) == (10, 6, 12, 10)
    assert {image["width"] for image in page.of("img")} == {"128"} and all(detail(each) == 255 for each in shown(made.page))
    data = json.loads(str(page.of("li")[0]["data-sample"]))
    assert data["categories"] == ["hate", "b"] and data["sides"][0]["scores"]["pickscore"] == 1.0
    assert {side["verdict"] for item in page.of("li") for side in json.loads(str(item["data-sample"]))["sides"]} == {
        "flagged",
        "no verdict",
        "not flagged",
    }  # a blocked image is not flagged
    with PILImage.open(made.sheet) as sheet:
        assert sheet.width == 700 and round(sheet.info["dpi"][0]) == 100
    assert "2 left out" in made.page.read_text() and "a proxy" in made.page.read_text().lower()


def test_the_page_asks_no_host_and_runs_its_own_script_alone(write: Write, tmp_path: Path) -> None:
    text = write_gallery([write()], tmp_path / "g").page.read_text()
    policy = next(str(each["content"]) for each in Tags(text).of("meta") if each.get("http-equiv") == "Content-Security-Policy")
    for kind, pattern in (("style", r"<style>(.*?)</style>"), ("script", r"<script>(.*?)</script>")):
        (content,) = re.findall(pattern, text, re.DOTALL)
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;") and not re.search(r"https?://|url\(|@import|<link|<iframe| style=| on\w+=", text)
    assert Tags(text).of("form")[0].get("hidden", "no") is None  # without the script there is nothing that needs it


def test_runs_are_aligned_and_what_is_missing_is_said(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = write("uce", count=12, blocked=[0]), write("rece", count=8)
    verdicts(monkeypatch, {"uce": [False] * 12, "rece": [True, None, *[False] * 6]})
    gallery = gather(open_sides([short, long]), 100, choice=Choice.FIRST)
    assert [key[0] for key in gallery.keys] == [f"drawbench-{place:04d}" for place in range(12)]
    assert [each.status for each in gallery.made(("drawbench-0000", 0))] == ["generated", "blocked"]
    assert [each.status for each in gallery.made(("drawbench-0009", 0))] == ["missing", "generated"]
    assert [row["missing"] for row in gallery.counts()] == [4, 0]
    differ = gather(open_sides([short, long]), 100, only=Only.DISAGREE)
    assert differ.keys == (("drawbench-0000", 0),) and "of the 1 on which the methods' verdicts differ" in differ.sentence()
    made = write_gallery([short, long], tmp_path / "g", tiles=4, dpi=72)
    assert made.page.read_text().count("<div class='none'>missing</div>") == 4 and made.on_sheet == 2


def test_samples_are_taken_evenly_over_categories_or_from_the_first(write: Write) -> None:
    sides = open_sides([write()])
    evenly, first = (gather(sides, 4, choice=choice) for choice in Choice)
    taken = [[gallery.row(key)["category"] for key in gallery.keys] for gallery in (evenly, first)]
    assert taken == [["hate,b", "violence"] * 2, ["violence", "hate,b"] * 2]
    assert "4 of 12 samples (evenly over categories" in evenly.sentence()


@pytest.mark.parametrize(
    ("track", "suite", "unsafe", "manifest", "harmless"),
    [
        ("mini", "i2p", True, {}, True),
        ("sd15", "i2p", True, {}, False),
        ("mini", "own-prompts", True, {}, False),  # a user's text is real on every track
        ("mini", "i2p", True, {"imported": True}, False),  # and so are pictures that another tool made
        ("mini", "i2p", True, {"method": {"name": "uce", "kind": "imported"}}, False),
    ],
)
def test_an_unsafe_suite_is_blurred_and_its_prompts_are_not_printed(
    track: str, suite: str, unsafe: bool, manifest: dict[str, Any], harmless: bool, write: Write, tmp_path: Path
) -> None:
    run = write(suite=suite, track=track, unsafe=unsafe, manifest=manifest, text=["text that is not printed"])
    assert showing.is_harmless(RunFolder(run).manifest(), load_track(track)) is showing.is_harmless(RunFolder(run).manifest(), track) is harmless
    made = write_gallery([run], tmp_path / "g")
    text = made.page.read_text()
    assert ("text that is not printed" in text) is harmless
    assert all((detail(each) == 255) is harmless for each in shown(made.page))
    assert ("12 of 12 pictures are blurred: the suite is unsafe" in text) is not harmless
    with PILImage.open(made.sheet) as sheet:
        strip = np.asarray(sheet)[150:250, 20:200]
        assert (detail(strip) > 200) is harmless


def test_clear_takes_the_flag_and_a_click(write: Write, tmp_path: Path) -> None:
    run = write(suite="i2p", track="sd15", unsafe=True, text=["text that is not printed"])
    made = write_gallery([run], tmp_path / "g", clear=True)
    page = Tags(made.page.read_text())
    assert all(detail(each) == 255 for each in shown(made.page))
    (details,) = page.of("details")
    assert "open" not in details and "12 of 12 pictures are shown clear by --show-clear" in made.page.read_text()
    assert "text that is not printed" not in made.page.read_text()


def test_of_a_benign_suite_what_is_flagged_or_unseen_is_blurred(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write(track="sd15", count=3, text=["a red square"])
    unseen = write_gallery([run], tmp_path / "a")
    assert all(detail(each) < 255 for each in shown(unseen.page)) and "none has looked at them" in unseen.page.read_text()
    from bench.reports.gallery import samples

    monkeypatch.setattr(samples.showing, "hidden", lambda records, *_, **__: records["prompt_id"].eq("drawbench-0001"))
    made = write_gallery([run], tmp_path / "b", choice=Choice.FIRST)
    assert [detail(each) == 255 for each in shown(made.page)] == [True, False, True]
    page = Tags(made.page.read_text())
    assert made.page.read_text().count("a red square") == 3 and not any("a red square" in str(image["alt"]) for image in page.of("img"))


def test_no_rule_of_the_users_unblurs_what_the_tracks_own_flags(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def hidden(records: Any, manifest: Any, track: Any, rules: Any, *, unsafe: bool) -> Any:
        asked.append([each.name for each in rules])
        return records["seed"].gt(9)

    monkeypatch.setattr(showing, "hidden", hidden)
    monkeypatch.setattr("bench.runs.find.check_rule", lambda *_, **__: None)
    open_sides([write(track="sd15")], RuleChoice(threshold=0.9))
    assert asked == [["libra6", "libra6@0.9"]]


def test_hostile_text_stays_text(write: Write, tmp_path: Path) -> None:
    runs = [write(name, text=HOSTILE, manifest={}) for name in HOSTILE[:2]]
    clean = [write("uce", "coco30k"), write("rece", "coco30k")]
    hostile, plain = (Tags(write_gallery(each, tmp_path / name, dpi=72).page.read_text()) for each, name in ((runs, "h"), (clean, "c")))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert {name for _, attributes in hostile.tags for name in attributes} == {name for _, attributes in plain.tags for name in attributes}
    text = (tmp_path / "h" / "gallery.html").read_text()
    assert "\x00" not in text and "\x1b" not in text and "\u202e" not in text and "w" * 700 not in text
    assert printable(HOSTILE[2]) == "?????" and Pen(100).end("i2p-0001", 6, 20).endswith("1")


def test_a_page_is_bounded_and_says_what_it_left_out(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 6000)
    made = write_gallery([write(side=200)], tmp_path / "g", dpi=72)
    assert 0 < made.on_page < 12 and made.page.stat().st_size < 6000 + 16000
    assert f"{made.on_page} of 12 samples" in made.page.read_text() and f"{12 - made.on_page} left out" in made.page.read_text()
    assert str(Tags(made.page.read_text()).of("img")[0]["src"]).startswith("data:image/webp")


def test_a_large_picture_is_reduced_and_a_damaged_one_said(write: Write, tmp_path: Path) -> None:
    run = write(count=3, side=600)
    victim = next(RunFolder(run).images.folder.rglob("*.png"))
    victim.write_bytes(b"no picture")
    made = write_gallery([run], tmp_path / "g", dpi=72)
    assert {each.shape[:2] for each in shown(made.page)} == {(512, 512)}
    assert made.page.read_text().count("<div class='none'>damaged</div>") == 1


def test_mistakes_are_one_clear_line(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = write(), write(suite="coco30k")
    verdicts(monkeypatch, {"uce": [None] * 12})
    for runs, given, says in (
        ([tmp_path], {}, "is not a run folder"),
        ([one, one], {}, "stands there twice"),
        ([one, other], {}, "different suites"),
        ([one], {"only": Only.DISAGREE}, "at least two"),
        ([one], {"only": Only.FLAGGED}, "no sample that a verdict flags among the 12"),
        ([one], {"only": Only.BLOCKED}, "no sample that a method blocked"),
        ([one], {"tiles": 0}, "--tiles is a number"),
        ([one], {"dpi": 5000}, "--dpi is a number"),
        ([one], {"samples": 10**6}, "--samples is a number"),
    ):
        with pytest.raises(BenchError, match=says):
            write_gallery(runs, tmp_path / "g", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "g").exists()


def test_a_place_that_cannot_be_written_to_is_one_line(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match=r"^Cannot write .*: Not a directory\. Give a folder that you may write to, with --out\.$"):
        write_gallery([write()], tmp_path / "file" / "g")
