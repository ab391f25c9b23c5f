"""What a track is: a base model with its sampler settings, its scorers' weights and its concepts.

Numbers are compared within a track only.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.errors import BenchError, did_you_mean
from bench.files.hashes import hash_weights
from bench.files.locations import resolve
from bench.files.selection import MODEL_INDEX, has_weights
from bench.rules import RULES, TRACKS_OWN, Rule, RuleChoice

LARGEST_BATCH = 4096
"""Samples a call: no device holds as many, and a number with a digit too many is none that was meant."""
REAL_TRACKS = ("sd15", "sdxl")
"""The harness's tracks of models in use, whose suites are of files that the user brings."""
MINIATURE = "mini"
"""The track of the embedded world. A copy of its file under another name is a proxy too, and of that world: no other is known here."""


class Harm(BaseModel):
    """What counts as harm on a track: the counting rules behind IP and the parts.

    Attributes:
        rule: the name of the rule that a run's table uses where nobody asks for another.
        suites: the suites on which it is another one than the suite's own, or, where that has none, than ``rule``; ``{suite: rule}``. Of a list
            the first is the suite's; the others stand beside it in its tables, where it is not known which of them a published number was
            counted by.
        rules: rules of the track's own, beside the named ones (:data:`bench.rules.RULES`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    suites: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _names_are_known(self) -> Harm:
        known = set(RULES)
        for rule in self.rules:
            if rule.name in known:
                raise ValueError(f"there is a rule {rule.name!r} already, and it means one thing; give yours another name")
            known.add(rule.name)
        unknown = [name for name in (self.rule, *(name for suite in self.suites for name in self.of(suite))) if name not in known]
        if unknown:
            raise ValueError(f"there is no rule {unknown[0]!r}; known: {', '.join(sorted(known))}")
        return self

    def of(self, suite: str) -> tuple[str, ...]:
        """Return the names of a suite's rules, its own first."""
        names = self.suites.get(suite, self.rule)
        return (names,) if isinstance(names, str) else names


class Track(BaseModel):
    """What is held fixed while methods differ.

    Attributes:
        name: ``mini``, ``sd15``, ``sdxl``, or the stem of a user's own YAML file.
        summary: one line.
        names: what tables call a method whose registry name would mislead here: the base, which is not SD 1.5 on every track. ``{method: name}``.
        proxy: True where harm and scores only stand in for the real ones: a track of the miniature's world, whatever its name.
        base: the base model's location (see :func:`bench.files.locations.resolve`); a diffusers pipeline folder, or a checkpoint
            in one file.
        base_config: of a base in one file, the pipeline's folder with its configurations and tokenizers (weights there are not read); the
            file's own folder where None.
        scheduler: diffusers scheduler class under ``class``; every other key overrides the base's scheduler configuration.
        steps: denoising steps where a suite does not say.
        guidance: classifier-free guidance scale where a suite does not say.
        width: pixels.
        height: pixels.
        batch_size: samples a call; part of what decides the images.
        seed: the suite seed, used where a row brings none.
        suites: the suites that this track has variants of; what suites' own files say of it joins them (:mod:`bench.tracks.joined`).
        scorers: the scorers that run by default, each with its parameters (such as where its weights are).
        scored_on: the suites on which a scorer runs by default, where these are not all; ``{scorer: suites}``. On others it runs when it is named.
        harm: what counts as harm: the rules behind IP and the part counts.
        concepts: named lists of phrases: ``unsafe`` (all), one list per unsafe category, ``neutral`` (what erasure maps to), and lists of
            single methods, by their names.
        methods: the parameters of a method where this track's differ from its own defaults.
        safety_checker: where the base model's safety checker is, for the method that switches it on.
        centers: what UAS subtracts: ``pickscore`` and ``safety_cost``, measured on this track's unaligned base.
        widths: what UAS divides by after that, where a scorer's unit is not the real one's: of the same names; 1 where not given, as in the paper.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    names: dict[str, str] = {}
    proxy: bool
    base: str
    base_config: str | None = None
    scheduler: dict[str, Any]
    steps: int
    guidance: float
    width: int
    height: int
    batch_size: Annotated[int, Field(ge=1, le=LARGEST_BATCH)]
    seed: int
    suites: tuple[str, ...]
    scorers: dict[str, dict[str, Any]]
    scored_on: dict[str, tuple[str, ...]] = {}
    harm: Harm
    concepts: dict[str, tuple[str, ...]]
    methods: dict[str, dict[str, Any]] = {}
    safety_checker: str | None = None
    centers: dict[str, float] = {}
    widths: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @model_validator(mode="after")
    def _widths_have_centers(self) -> Track:
        alone = sorted(set(self.widths) - set(self.centers))
        if alone:
            raise ValueError(f"there is a width of {alone[0]!r} and no centre; widths stand beside centres: {', '.join(self.centers) or 'none here'}")
        return self

    def is_one_of(self, names: Collection[str]) -> bool:
        """Return whether the track is among ``names``, by its own name or, as a copy of the miniature's file, by the miniature's."""
        return self.name in names or (self.proxy and MINIATURE in names)

    def rule(self, suite: str, choice: RuleChoice = TRACKS_OWN) -> Rule:
        """Return the counting rule of tables on ``suite``: the track's for it where ``choice`` asks for nothing.

        Raises:
            BenchError: it is unknown (with a suggestion), or a threshold is none of its own.
        """
        known = {**RULES, **{rule.name: rule for rule in self.harm.rules}}
        name = choice.name or self.harm.of(suite)[0]
        if name not in known:
            raise did_you_mean("rule", name, list(known))
        return known[name].at(choice.threshold, choice.q16_threshold)

    def further_rules(self, suite: str) -> tuple[Rule, ...]:
        """Return the rules whose IP stands beside the suite's own in tables; mostly there are none."""
        return tuple(self.rule(suite, RuleChoice(name)) for name in self.harm.of(suite)[1:])

    def called(self, method: str) -> str:
        """Return what tables call a method."""
        return self.names.get(method, method)

    def scorers_on(self, suite: str) -> list[str]:
        """Return the scorers that run by default on ``suite``."""
        return [name for name in self.scorers if suite in self.scored_on.get(name, (suite,))]

    def base_path(self) -> Path:
        """Return the base model's folder, or its file."""
        return resolve(self.base)

    def config_path(self) -> Path:
        """Return the folder with the base model's configurations: its own, or of a base in one file the one that goes with it.

        Raises:
            BenchError: the base is one file, and no folder goes with it.
        """
        path = self.base_path()
        if path.is_dir():
            return path
        folder = resolve(self.base_config) if self.base_config else path.parent
        if not (folder / MODEL_INDEX).is_file():
            raise BenchError(
                f"The base model {path} is a single file, and {folder} has no {MODEL_INDEX}: a file holds no configuration and no tokenizer. Name "
                "a pipeline's folder of this kind in the track's file (base_config: FOLDER; its weights need not be there)."
            )
        return folder

    def base_weights(self) -> dict[str, str]:
        """Return ``{file: sha256}`` of the base model; of one in a file also its configurations'."""
        path = self.base_path()
        found = hash_weights(path)
        if path.is_file():
            of_folder = hash_weights(self.config_path())
            found |= {f"config/{name}": digest for name, digest in of_folder.items() if not has_weights([name])}
        return found
