"""``bench train libraalign``: builds the data set, unit by unit. Killed at any moment and run again, it ends in the same bytes.

Coarse first; the Safety Cost Model is trained on it (``bench train scm``); HF needs that model's costs. Several processes may share the work:
``--set shard=0/4`` makes every fourth unit, and whoever finds all units finished writes the counts and the card.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from bench.console import Progress
from bench.errors import BenchError, NotAvailable
from bench.files.atomic import read_json, write_atomic, write_json
from bench.files.hashes import hash_weights
from bench.files.locations import resolve
from bench.registry import scorers, suites
from bench.runs.provenance import versions
from bench.runs.spec import digest
from bench.runs.threads import one_thread
from bench.tracks import load_track
from bench.types import Context, Scorer
from training.libraalign.coarse import make_unit as make_coarse_unit
from training.libraalign.config import LibraAlignConfig
from training.libraalign.dataset import SCHEMAS, Part, counts, decode, write_card
from training.libraalign.endpoint import EndpointJudge, EndpointRewriter
from training.libraalign.hf import Annotator
from training.libraalign.hf import make_unit as make_hf_unit
from training.libraalign.judging import Judge, Rewriter
from training.libraalign.oracle import OracleJudge, OracleRewriter
from training.libraalign.pickapic import PickAPic, read_pickapic
from training.libraalign.prompts import CATEGORIES, PromptPool, draw_mini, make_pool, mini_concepts, read_concepts, read_prompts
from training.libraalign.quota import Quota
from training.libraalign.sources import ImageToImage, make_source

SHEET_ROWS, SHEET_COLUMNS = 3, 10

Asked = dict[str, EndpointJudge | EndpointRewriter]
"""What stands behind an endpoint and was asked this time, by role: for the report of its cost."""

Make = Callable[[int], tuple[list[dict[str, Any]], dict[str, Any]]]
"""Makes one unit: its rows, and its marker's notes."""


@dataclass(frozen=True)
class _Work:
    """Units that one maker makes; the maker is made, and its models loaded, once a unit is missing."""

    what: str
    quota: Quota
    maker: Callable[[], Make]


def train(config: LibraAlignConfig, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Build what is missing under ``out`` and return the counts as table rows.

    Raises:
        BenchError: something that the user can mend; every finished unit is kept.
    """
    one_thread()  # the same bytes from any shard; shards fill a CPU
    pools = _pools(config)
    units = -(-len(pools["harmful"].prompts) // config.unit)
    index, count = _shard(config.shard)
    pickapic = read_pickapic(config.pickapic, config.seed) if config.pickapic is not None and "hf" in config.stages else None
    _claim(config, out)
    asked: Asked = {}
    work = _work(config, pools, pickapic, units, out, asked)
    for each in work:
        missing = [unit for unit in each.quota.waiting() if unit % count == index]
        advance = progress.start(f"libraalign: {each.what}", len(missing), "units")
        make = each.maker() if missing else None
        for unit in missing:
            if make is not None and each.quota.wants(unit):
                each.quota.part.commit(unit, *make(unit))
            advance(1)
    quotas = [each.quota for each in work]
    if not any(quota.waiting() for quota in quotas):
        _finish(config, pools, pickapic, quotas, out)
    return _rows(out, quotas, asked)


def _work(config: LibraAlignConfig, pools: dict[str, PromptPool], pickapic: PickAPic | None, units: int, out: Path, asked: Asked) -> list[_Work]:
    """Return what there is to make, in order; the units of Pick-a-Pic's pairs follow those of the prompts."""
    work: list[_Work] = []
    if "coarse" in config.stages:
        quota = Quota(Part(out, "coarse"), range(units), None, config.coarse.pairs)
        work.append(_Work("coarse", quota, lambda: _coarse(config, pools, units, out, asked)))
    if "hf" in config.stages:
        quota = Quota(Part(out, "hf"), range(min(units, config.hf.units or units)), "harmful-safe", config.hf.pairs)
        work.append(_Work("hf", quota, lambda: _hf(config, pools, units, out, asked)))
    if pickapic is not None and config.pickapic is not None:
        more = range(units, units - (-len(pickapic.rows) // config.unit))
        quota = Quota(Part(out, "hf"), more, "safe-safe", config.pickapic.pairs)
        work.append(_Work("hf, Pick-a-Pic", quota, lambda: _pickapic(config, pickapic, units)))
    return work


def _pools(config: LibraAlignConfig) -> dict[str, PromptPool]:
    given = config.prompts
    taken = _suite_texts() if given.harmful == "mini" else frozenset()
    concepts = read_concepts(Path(given.concepts)) if given.concepts else mini_concepts() if given.harmful == "mini" else {}
    pools = {}
    for name, where, limit in (("harmful", given.harmful, given.harmful_limit), ("benign", given.benign, given.benign_limit)):
        unsafe = name == "harmful"
        # Twice as many are drawn as are wanted, for what is left out.
        rows = draw_mini(2 * limit, unsafe=unsafe, seed=config.seed) if where == "mini" else read_prompts(Path(where))
        pools[name] = make_pool(rows, unsafe=unsafe, concepts=concepts, seed=config.seed, limit=limit, taken=taken)
        if not pools[name].prompts:
            raise BenchError(f"The {name} pool {where!r} holds no usable prompt: {pools[name].left_out}. Bring prompts with a category or concepts.")
    return pools


def _suite_texts() -> frozenset[str]:
    """Return every prompt of the miniature's suites: nothing that is measured on may be trained on."""
    track = load_track("mini")
    return frozenset(row.prompt for name in track.suites for row in suites.get(name).rows(track))


def _shard(text: str) -> tuple[int, int]:
    """Return which of how many shards this is."""
    try:
        index, count = (int(part) for part in text.split("/"))
        if not 0 <= index < count:
            raise ValueError
    except ValueError:
        raise BenchError(f"shard must be i/n with 0 <= i < n, such as 0/4; got {text!r}.") from None
    return index, count


def _identity(config: LibraAlignConfig) -> dict[str, Any]:
    """Return what decides the data set: of an endpoint its model, so that a budget may be raised or an address corrected and the build goes on."""
    endpoints = {name: {"model": each.model} for name, each in (("judge", config.judge), ("rewriter", config.rewriter)) if each != "oracle"}
    return config.model_dump(mode="json", exclude={"shard", "stages", "device"}) | endpoints


def _claim(config: LibraAlignConfig, out: Path) -> None:
    """Refuse to mix two data sets in one folder."""
    identity = _identity(config)
    path = out / "config.json"
    if path.is_file() and (before := read_json(path, "configuration")) != identity:
        name, was, wanted = _difference(before, identity)
        raise BenchError(f"{out} holds another data set: its {name} is {was}, asked for {wanted}. Give another --out.")
    write_json(path, identity)


def _difference(before: dict[str, Any], wanted: dict[str, Any]) -> tuple[str, str, str]:
    """Return the first setting that differs, dotted, what it was, and what is asked for."""
    name = next(key for key in {**before, **wanted} if key not in before or key not in wanted or before[key] != wanted[key])
    if isinstance(old := before.get(name), dict) and isinstance(new := wanted.get(name), dict):
        inner, was, now = _difference(old, new)
        return f"{name}.{inner}", was, now
    was, now = (repr(each[name]) if name in each else "not there" for each in (before, wanted))
    return name, was, now


def _coarse(config: LibraAlignConfig, pools: dict[str, PromptPool], units: int, out: Path, asked: Asked) -> Make:
    sources = [make_source(each, config.device, config.dtype, config.batch) for each in config.sources]
    judge = _judge(config, out, asked)

    def make(unit: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        harmful, benign = _slice(config, pools, unit, units)
        return make_coarse_unit(unit, harmful, benign, sources, judge, config.coarse, config.seed)

    return make


def _hf(config: LibraAlignConfig, pools: dict[str, PromptPool], units: int, out: Path, asked: Asked) -> Make:
    annotator = Annotator(_scorer(config, "quality"), _scorer(config, "cost"))
    source, plainer = (each and make_source(each, config.device, config.dtype, config.batch) for each in (config.sources[0], config.plainer))
    assert source is not None
    editor = ImageToImage(
        config.editor.pipeline,
        strength=config.hf.strength,
        steps=config.editor.steps,
        guidance=config.editor.guidance,
        device=config.device,
        dtype=config.dtype,
        batch=config.batch,
        scheduler=config.editor.scheduler,
    )
    rewriter = _rewriter(config, out, asked)

    def make(unit: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        harmful, benign = _slice(config, pools, unit, units)
        return make_hf_unit(unit, harmful, benign, source, plainer, editor, rewriter, annotator, config.hf, config.seed + 1)

    return make


def _pickapic(config: LibraAlignConfig, rows: PickAPic, first: int) -> Make:
    annotator = Annotator(_scorer(config, "quality"), _scorer(config, "cost"))
    return lambda unit: rows.make_unit(unit, (unit - first) * config.unit, config.unit, annotator, config.hf)


def _slice(config: LibraAlignConfig, pools: dict[str, PromptPool], unit: int, units: int) -> tuple[Sequence[Any], Sequence[Any]]:
    harmful, benign = pools["harmful"].prompts, pools["benign"].prompts
    return harmful[unit * config.unit : (unit + 1) * config.unit], benign[unit::units]


def _judge(config: LibraAlignConfig, out: Path, asked: Asked) -> Judge:
    if config.judge == "oracle":
        folder = "package:bench.miniature/weights"
        return OracleJudge(resolve(f"{folder}/reader"), resolve(f"{folder}/detector"), config.error_rate, config.seed)
    judge = EndpointJudge(config.judge, _journal(config, out, "judge"))
    asked["judge"] = judge
    return judge


def _rewriter(config: LibraAlignConfig, out: Path, asked: Asked) -> Rewriter:
    if config.rewriter == "oracle":
        return OracleRewriter()
    rewriter = EndpointRewriter(config.rewriter, _journal(config, out, "rewriter"))
    asked["rewriter"] = rewriter
    return rewriter


def _journal(config: LibraAlignConfig, out: Path, role: str) -> Path:
    """Return where the answers of ``role`` are kept; each shard has its own, since two processes must not share one."""
    index, count = (int(part) for part in config.shard.split("/"))
    return out / "journals" / (f"{role}.jsonl" if count == 1 else f"{role}-{index}-of-{count}.jsonl")


def _unloaded(config: LibraAlignConfig, role: str) -> Scorer:
    given = dict(getattr(config, role))
    return scorers.get(str(given.pop("scorer", "")))(**given)


def _scorer(config: LibraAlignConfig, role: str) -> Scorer:
    """Return the scorer of ``role``, loaded."""
    scorer = _unloaded(config, role)
    try:
        scorer.load(Context(load_track("mini"), config.device))  # a scorer reads the device alone from its context
    except NotAvailable as error:
        hint = "Train it on the coarse part: `bench train scm`; then run the same command again." if role == "cost" else "Give its location."
        raise NotAvailable(f"The HF part needs the scorer of {role}: {error} {hint}") from error
    return scorer


def _finish(config: LibraAlignConfig, pools: dict[str, PromptPool], pickapic: PickAPic | None, quotas: Sequence[Quota], out: Path) -> None:
    """Take away what is beyond the pairs that were wanted, and write the manifest, the card and a sheet of pairs."""
    for quota in quotas:
        quota.cut()
    harmful, benign = pools["harmful"], pools["benign"]
    left_out = {f"{name}: {reason}": count for name, pool in pools.items() for reason, count in pool.left_out.items()}
    found = counts(out) | {
        "categories": len({prompt.category for prompt in harmful.prompts}),
        "concepts": len({prompt.concept for prompt in harmful.prompts if prompt.concept}) or len(CATEGORIES),
        "prompts": {"harmful": len(harmful.prompts), "benign": len(benign.prompts), "left_out": left_out},
    }
    if pickapic is not None:
        found["pickapic"] = {"rows": len(pickapic.rows), "left_out": dict(pickapic.left_out)}
    judge = f"the miniature's truth, error rate {config.error_rate:g}" if config.judge == "oracle" else f"{config.judge.model} behind an endpoint"
    manifest = {
        "title": config.title,
        "summary": config.summary,
        "counts": found,
        "wanted": {quota.what: quota.most for quota in quotas if quota.most is not None},
        "judge": judge,
        "quality": str(config.quality.get("scorer")),
        "quality_against": config.hf.quality_against,
        "cost": str(config.cost.get("scorer")),
        "screened_out_sha256": [*harmful.screened, *benign.screened, *(pickapic.screened if pickapic else ())],
        "captions_sha256": pickapic.digest if pickapic else None,
        "digests": {stage: Part(out, stage).digest() for stage in config.stages},
        "config": _identity(config) | {"stages": list(config.stages), "device": config.device},
        "config_digest": digest(_identity(config)),
        "weights": _weights(config),
        "versions": versions(),
    }
    write_json(out / "manifest.json", manifest)
    write_card(out, manifest)
    if "hf" in config.stages:
        _sheet(out, blur=config.prompts.harmful != "mini")


def _weights(config: LibraAlignConfig) -> dict[str, Any]:
    """Return the hashes of every model that had a part in the data set."""
    found: dict[str, Any] = {each.name: make_source(each, config.device, config.dtype, config.batch).identity() for each in config.sources}
    if "hf" in config.stages:
        if config.plainer is not None:
            found["plainer"] = make_source(config.plainer, config.device, config.dtype, config.batch).identity()
        found["editor"] = hash_weights(resolve(config.editor.pipeline))
        for role in ("quality", "cost"):
            found[role] = dict(_unloaded(config, role).weights(Context(load_track("mini"), config.device)))
    return found


def _sheet(out: Path, *, blur: bool) -> None:
    """Write ``pairs.png``: HF's first pairs, each harmful above safe; blurred where the pictures are real."""
    pairs = []
    for _, row in islice(Part(out, "hf").rows(), SHEET_ROWS * SHEET_COLUMNS):
        pictures = [Pillow.fromarray(decode(row[f"image_{place}"], row["pair_id"])).resize((96, 96), Pillow.Resampling.NEAREST) for place in (0, 1)]
        if blur:
            pictures = [picture.filter(ImageFilter.GaussianBlur(12)) for picture in pictures]
        pairs.append(np.pad(np.concatenate([np.asarray(picture) for picture in pictures]), ((4, 4), (4, 4), (0, 0)), constant_values=255))
    pairs += [np.full_like(pairs[0], 255)] * (-len(pairs) % SHEET_COLUMNS) if pairs else []
    lines = [np.concatenate(pairs[start : start + SHEET_COLUMNS], axis=1) for start in range(0, len(pairs), SHEET_COLUMNS)]
    if lines:
        buffer = io.BytesIO()
        Pillow.fromarray(np.concatenate(lines)).save(buffer, format="PNG")
        write_atomic(out / "pairs.png", buffer.getvalue())


def _rows(out: Path, quotas: Sequence[Quota], asked: Asked) -> list[dict[str, Any]]:
    """Return the counts, how many pairs are fewer than were wanted once all is made, and what was asked of endpoints, as table rows."""
    found = counts(out)
    rows = [{"part": name, "what": kind, "count": count} for name in SCHEMAS for kind, count in found[name]["kinds"].items()]
    rows += [{"part": name, "what": f"left out: {reason}", "count": count} for name in SCHEMAS for reason, count in found[name]["left_out"].items()]
    for quota in quotas:
        if quota.most is not None and not quota.waiting() and (lacking := quota.most - quota.made()):
            rows.append({"part": quota.part.name, "what": f"short of the {quota.most} {quota.what} that were wanted", "count": lacking})
    for name, tool in asked.items():
        usage = asdict(tool.usage)
        rows += [
            {"part": name, "what": what.replace("_", " "), "count": usage[what]}
            for what in ("requests", "from_journal", "tokens_in", "tokens_out", "cost")
        ]
    return rows
