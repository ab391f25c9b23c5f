"""The Safety Cost Model: a light adapter on a frozen CLIP image encoder that gives an image one cost (paper Sec. 3.1).

    bench train libraalign --set 'stages=["coarse"]'      # the pairs
    bench train scm                                       # the model, its card, and the constants that UAS needs

The loss, all of it inferred from the text around the lost equations (and equal to PKU's Safe-RLHF cost loss where they overlap):

    Eq. 2  L_rank   = -log s(C(h) - C(l)) - log s(y_h C(h)) - log s(y_l C(l)),   y = +1 for a harmful image, -1 for a safe one
    Eq. 3  L_anchor = mean over safe images of (C(x) - mu)^2,   mu = the mean cost of a large pool of verified safe images
    Eq. 1  L        = L_rank + anchor_weight * L_anchor        (+ cost_scale * 0.001 * mean of C^2: not the paper's; see below)

The weight of Eq. 3 is not stated. Safe-RLHF adds a third term, which holds the scale of costs; the paper does not, so it is off unless
``cost_scale`` is set (the miniature's shipped model was trained with it).

``mu`` is measured on the whole pool at the start of every epoch and held fixed within it; no gradient flows through it. The pool is all
images of the training pairs that the judge labelled safe: the paper does not say what verified its own.
The encoder never changes, so every image is encoded once and an epoch over tens of thousands of pairs takes a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, field_validator
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from scipy import stats as scipy_stats

from bench.console import Progress
from bench.errors import BenchError
from bench.files.atomic import write_atomic, write_json
from bench.files.hashes import hash_weights
from bench.files.locations import resolve
from bench.runs.spec import digest
from bench.scorers.clip.encoders import load_image_encoder
from bench.scorers.cost_head import CostConfig, CostHead, load_cost_head
from training.libraalign.dataset import Part, decode
from training.uas_constants import FLOOR, MeasuredOn, Scale, measure_centers, measure_widths


class SCMConfig(BaseModel):
    """All that decides the model.

    Attributes:
        data: a folder made by ``bench train libraalign`` with a coarse part.
        encoder: the frozen encoder's location: an open_clip or a transformers CLIP folder (see :func:`bench.files.locations.resolve`).
        hidden: width of the adapter.
        anchor_weight: of Eq. 3 in Eq. 1; 0 leaves the anchor out. The paper does not state it.
        cost_scale: of the term ``0.001 * mean(C^2)``, which is Safe-RLHF's and not the paper's; 0 leaves it out. It bounds the scale of costs.
        learning_rate: AdamW's, cosine to zero. The paper does not state it.
        weight_decay: AdamW's.
        epochs: over all pairs.
        batch_size: pairs.
        held_out: the share of units that is kept for the report, never trained on.
        seed: of the start and of the order.
        device: where images are encoded.
        centers: where the centres of UAS are measured: on which ``suites`` of which ``track`` the unaligned base runs; empty for none.
        widths: where its widths are, one place for each number, by the base and the floor; empty for none, which is the paper's 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    encoder: str
    hidden: int = Field(64, ge=1)
    anchor_weight: float = Field(0.1, ge=0)
    cost_scale: float = Field(0.0, ge=0)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    epochs: int = Field(20, ge=1)
    batch_size: int = Field(256, ge=1)
    held_out: float = Field(0.1, gt=0, lt=1)
    seed: int = 0
    device: str = "cpu"
    centers: MeasuredOn | None = None
    widths: dict[Scale, MeasuredOn] = {}

    @field_validator("centers", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return value or None


def ranking_loss(more: torch.Tensor, less: torch.Tensor, more_sign: torch.Tensor, less_sign: torch.Tensor) -> torch.Tensor:
    """Return Eq. 2, the mean over pairs.

    Args:
        more: costs (n,) of the more harmful images.
        less: costs (n,) of the others.
        more_sign: +1 where the more harmful image is harmful, -1 where it is safe.
        less_sign: the same for the others.
    """
    each = F.logsigmoid(more - less) + F.logsigmoid(more_sign * more) + F.logsigmoid(less_sign * less)
    return -each.mean()


def anchor_loss(costs: torch.Tensor, safe: torch.Tensor, mean_safe: torch.Tensor) -> torch.Tensor:
    """Return Eq. 3: the mean squared distance of the safe images' costs from ``mean_safe``; 0 where none is safe.

    Args:
        costs: (n,).
        safe: bool (n,).
        mean_safe: the pool's mean cost, a scalar without gradient.
    """
    distances = (costs - mean_safe).square()
    return (distances * safe).sum() / safe.sum().clamp(min=1)


@dataclass(frozen=True)
class Pairs:
    """Judged pairs over a list of images.

    Attributes:
        features: (images, width), normalised.
        safe: bool (images,): the binary label.
        level: int (images,): 0 to 3.
        more: the index of each pair's more harmful image.
        less: the index of the other.
        unit: the unit of the data set that each pair comes from.
    """

    features: torch.Tensor
    safe: torch.Tensor
    level: torch.Tensor
    more: torch.Tensor
    less: torch.Tensor
    unit: torch.Tensor

    def select(self, keep: torch.Tensor) -> Pairs:
        """Return the pairs where ``keep`` is true, over the same images."""
        return Pairs(self.features, self.safe, self.level, self.more[keep], self.less[keep], self.unit[keep])

    def images(self) -> torch.Tensor:
        """Return the indices of the images that stand in a pair."""
        return torch.cat([self.more, self.less]).unique()


def load_pairs(config: SCMConfig, work: Path, progress: Progress) -> Pairs:
    """Return the coarse part's pairs, every image encoded once; features are kept in ``work`` under the data's and the encoder's hashes.

    Raises:
        BenchError: there are no pairs, an image is damaged, or an encoder's file.
    """
    part, encoder = Part(Path(config.data), "coarse"), resolve(config.encoder)
    places: dict[str, int] = {}
    safe: list[bool] = []
    level: list[int] = []
    more: list[int] = []
    less: list[int] = []
    units: list[int] = []
    key = digest({"data": part.digest(), "encoder": hash_weights(encoder)})
    cache = work / f"features-{key[:16]}.safetensors"
    known = load_file(cache)["features"] if cache.is_file() else None
    found: list[torch.Tensor] = []
    model = None if known is not None else load_image_encoder(encoder, config.device)
    advance = progress.start("scm: encode", sum(marker["rows"] for marker in part.markers()), "pairs")
    for unit, row in part.rows():
        pair = []
        for place in (0, 1):
            content = hashlib.sha256(row[f"image_{place}"]["bytes"] or b"").hexdigest()
            if content not in places:
                places[content] = len(places)
                safe.append(not row[f"harmful_{place}"])
                level.append(row[f"level_{place}"])
                if model is not None:
                    found.append(model.images([decode(row[f"image_{place}"], row["pair_id"])]))
            pair.append(places[content])
        more.append(pair[row["more_harmful"]])
        less.append(pair[1 - row["more_harmful"]])
        units.append(unit)
        advance(1)
    features = torch.cat(found) if known is None else known
    if len(features) != len(places):
        raise BenchError(f"{cache} holds {len(features)} features for {len(places)} images: it was damaged. Delete it and run again.")
    if known is None:
        write_atomic(cache, to_bytes({"features": features.contiguous()}))
    return Pairs(features, torch.tensor(safe), torch.tensor(level), torch.tensor(more), torch.tensor(less), torch.tensor(units))


def fit(pairs: Pairs, config: SCMConfig, progress: Progress) -> tuple[CostHead, float]:
    """Return the adapter trained on ``pairs`` and the mean cost of their safe images.

    Raises:
        BenchError: there is no safe image to anchor to, or the loss became NaN or infinite.
    """
    pool = pairs.images()
    pool = pool[pairs.safe[pool]]
    if not len(pool):
        raise BenchError("The data holds no image that was labelled safe; Eq. 3 has nothing to anchor to. Raise safe_share in the data's settings.")
    torch.manual_seed(config.seed)
    head = CostHead(pairs.features.shape[1], config.hidden)
    optimiser = torch.optim.AdamW(head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    batches = -(-len(pairs.more) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs * batches)
    sign = 1.0 - 2.0 * pairs.safe.float()
    advance = progress.start("scm: train", config.epochs, "epochs")
    for epoch in range(config.epochs):
        order = torch.randperm(len(pairs.more), generator=torch.Generator().manual_seed(config.seed * 1_000_003 + epoch))
        with torch.no_grad():
            mean_safe = head(pairs.features[pool]).mean()
        for chosen in order.split(config.batch_size):
            more, less = pairs.more[chosen], pairs.less[chosen]
            costs = head(pairs.features[torch.cat([more, less])])
            high, low = costs.chunk(2)
            loss = ranking_loss(high, low, sign[more], sign[less])
            if config.cost_scale:
                loss = loss + 0.001 * config.cost_scale * costs.square().mean()
            if config.anchor_weight:
                loss = loss + config.anchor_weight * anchor_loss(costs, pairs.safe[torch.cat([more, less])], mean_safe)
            if not torch.isfinite(loss):
                raise BenchError(f"The loss is {float(loss)} in epoch {epoch}: the features or the learning rate {config.learning_rate} are broken.")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
        advance(1)
    with torch.no_grad():
        return head.eval(), float(head(pairs.features[pool]).mean())


@torch.no_grad()
def measure(head: CostHead, pairs: Pairs) -> dict[str, float]:
    """Return what the model does on ``pairs``.

    Pair accuracy over all pairs and over those whose levels differ; sign accuracy over their images; spread (standard
    deviation) of the safe images' costs; calibration of ``sigmoid(cost)`` as the probability of "harmful" (expected calibration error
    in ten bins, Brier score); Spearman's rho of cost and level, and the largest that ties leave room for.
    """
    used = pairs.images()
    costs, safe, level = head(pairs.features), pairs.safe[used], pairs.level[used].numpy()
    right = costs[pairs.more] > costs[pairs.less]
    across = pairs.level[pairs.more] != pairs.level[pairs.less]
    own = costs[used]
    chance = own.sigmoid().double().numpy()
    truth = (~safe).double().numpy()
    bins = np.minimum((chance * 10).astype(int), 9)
    gaps = [abs(chance[bins == each].mean() - truth[bins == each].mean()) * (bins == each).mean() for each in np.unique(bins)]
    ranks = scipy_stats.rankdata(level)
    ceiling = scipy_stats.pearsonr(ranks, np.argsort(np.argsort(ranks, kind="stable"), kind="stable")).statistic
    return {
        "pairs": len(pairs.more),
        "images": len(used),
        "pair_accuracy": float(right.float().mean()),
        "pair_accuracy_across_levels": float(right[across].float().mean()),
        "sign_accuracy": float(((own > 0) == ~safe).float().mean()),
        "safe_mean": float(own[safe].mean()),
        "safe_spread": float(own[safe].std()),
        "harmful_mean": float(own[~safe].mean()),
        "harmful_spread": float(own[~safe].std()),
        "calibration_error": float(sum(gaps)),
        "brier": float(((chance - truth) ** 2).mean()),
        "spearman": float(scipy_stats.spearmanr(own.numpy(), level).statistic),
        "spearman_ceiling": float(ceiling),
    }


def train(config: SCMConfig, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Train the model, write checkpoint, report and card to ``out``, and return the report as table rows: with and without the anchor.

    Raises:
        BenchError: something that the user can mend.
    """
    pairs = load_pairs(config, out / "work", progress)
    units = pairs.unit.unique()
    kept = units[max(1, round(len(units) * config.held_out)) :]
    if not len(kept):
        raise BenchError(f"{config.data} has {len(units)} unit; holding some out takes at least two. Build more pairs, or smaller units.")
    inside = torch.isin(pairs.unit, kept)
    training, held_out = pairs.select(inside), pairs.select(~inside)
    head, mean_safe = fit(training, config, progress)
    bare, _ = fit(training, config.model_copy(update={"anchor_weight": 0.0}), progress)
    report = {"held_out": measure(head, held_out), "held_out_without_anchor": measure(bare, held_out), "trained_on": measure(head, training)}
    encoder = resolve(config.encoder)
    settings = CostConfig(
        width=pairs.features.shape[1], hidden=config.hidden, encoder=config.encoder, encoder_sha256=hash_weights(encoder), mean_safe=mean_safe
    )
    save(head, settings, out)
    if config.centers is not None:
        report["centers"] = measure_centers(out, config.encoder, config.device, config.centers, progress)
    if config.widths:
        report["widths"] = measure_widths(out, config.encoder, config.device, config.widths, progress)
    settings = settings.model_copy(update={name: report[name] for name in ("centers", "widths") if name in report})
    save(head, settings, out)
    write_json(out / "report.json", {**report, "config": config.model_dump(mode="json"), "data_digest": Part(Path(config.data), "coarse").digest()})
    write_atomic(out / "README.md", _card(config, settings, report).encode())
    names = ("held_out", "held_out_without_anchor", "trained_on")
    rows = [{"what": what, **{name: report[name][what] for name in names}} for what in report["held_out"]]
    constants = [(f"center {name}", value) for name, value in settings.centers.items()]
    constants += [(f"width {name}", value) for name, value in settings.widths.items()]
    return rows + [{"what": what, "held_out": value} for what, value in constants]


def save(head: CostHead, settings: CostConfig, out: Path) -> None:
    """Write the checkpoint that :class:`bench.scorers.sc.SafetyCost` reads; the weights last, since a folder without them does not load."""
    write_json(out / "config.json", settings.model_dump(mode="json"))
    write_atomic(out / "model.safetensors", to_bytes({name: value.contiguous() for name, value in head.state_dict().items()}))
    load_cost_head(out)


def _card(config: SCMConfig, settings: CostConfig, report: Mapping[str, Mapping[str, float]]) -> str:
    names: Sequence[str] = ("held_out", "held_out_without_anchor", "trained_on")
    lines = [
        "# Safety Cost Model",
        "",
        f"A {settings.width}-{settings.hidden}-1 adapter on the frozen image encoder `{config.encoder}`.",
        "Positive costs are harmful, negative ones safe; the scale is this checkpoint's own, so costs of two checkpoints are never compared.",
        "Trained by `bench train scm`.",
        "",
        "| measured | " + " | ".join(name.replace("_", " ") for name in names) + " |",
        "|---|" + "---|" * len(names),
        *(f"| {what.replace('_', ' ')} | " + " | ".join(f"{report[name][what]:.4g}" for name in names) + " |" for what in report["held_out"]),
        "",
        "Held-out images come from units of the data set that training never saw.",
        f"Anchor (Eq. 3): weight {config.anchor_weight:g}, at a mean safe cost of {settings.mean_safe:.4f}.",
    ]
    if config.cost_scale:
        lines.append(f"Beside the paper's loss stands Safe-RLHF's third term, {0.001 * config.cost_scale:g} times the mean squared cost.")
    if config.centers is not None:
        center = settings.centers
        lines.append(
            f"Centres for UAS, the unaligned base on {config.centers.words()}: PickScore {center['pickscore']:.4f}, safety cost "
            f"{center['safety_cost']:.4f}."
        )
    if config.widths:
        said = [f"{name.replace('_', ' ')} {settings.widths[name]:.4f} on {place.words()}" for name, place in config.widths.items()]
        lines.append(f"Widths for UAS, half of the way from the base to `{FLOOR}`: {'; '.join(said)}.")
    lines += ["", "```json", json.dumps(config.model_dump(mode="json"), indent=2), "```", ""]
    return "\n".join(lines)
