"""The recipes by name: which module trains, and which YAML file configures it on which track. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.errors import BenchError, did_you_mean
from bench.files.yaml_text import invalid, read_yaml

CONFIGS = Path(__file__).parent / "configs"

RECIPES: Mapping[str, tuple[str, str, str]] = {
    "libraalign": ("training.libraalign.build", "LibraAlignConfig", "Build the LibraAlign data set: coarse pairs, then high-fidelity pairs."),
    "scm": ("training.scm", "SCMConfig", "Train the Safety Cost Model on the coarse pairs."),
    "t2i-spo": ("training.spo", "SPOConfig", "Train T2I-SPO on the high-fidelity pairs, with dynamic focusing."),
    "diffusion-dpo-quality": ("training.spo", "SPOConfig", "Diffusion-DPO on quality labels alone: the limit of a safety weight of 0."),
    "diffusion-dpo-safety": ("training.spo", "SPOConfig", "Diffusion-DPO on safety labels alone: the limit of an endless safety weight."),
    "esd": ("training.esd", "ESDConfig", "Erase concepts by fine-tuning all of the U-Net but its cross-attention (ESD-u)."),
    "esd-x": ("training.esd", "ESDConfig", "Erase concepts by fine-tuning the cross-attention (ESD-x)."),
    "uce": ("training.edits", "EditConfig", "Solve and save the closed-form edit of UCE."),
    "rece": ("training.edits", "EditConfig", "Solve, select by a detector and save the repeated closed-form edit of RECE."),
    "alignguard": ("training.alignguard", "AlignGuardConfig", "Train one LoRA expert a category on safety labels, then merge them (ours)."),
}
"""``{recipe: (module, its configuration class, one line)}``; the module's ``train(config, out, progress)`` does the work."""


def configurations(recipe: str) -> list[str]:
    """Return the tracks that ``recipe`` has a configuration for."""
    known = (path.stem.removeprefix(f"{recipe}-") for path in CONFIGS.glob(f"{recipe}-*.yaml"))
    return sorted(each for each in known if "-" not in each)


def config_path(recipe: str, track: str) -> Path:
    """Return the configuration file of ``recipe`` on ``track``.

    Raises:
        BenchError: unknown recipe, or it has none for this track.
    """
    _check(recipe)
    if track not in configurations(recipe):
        raise did_you_mean(f"track for the recipe {recipe!r}", track, configurations(recipe))
    return CONFIGS / f"{recipe}-{track}.yaml"


def _check(recipe: str) -> None:
    if recipe not in RECIPES:
        raise did_you_mean("recipe", recipe, list(RECIPES))


def load_config(recipe: str, path: Path, changes: Mapping[str, Any]) -> BaseModel:
    """Return the recipe's configuration from ``path``, with ``changes`` (dotted names) laid over it.

    Raises:
        BenchError: no such file, not YAML, or something in it that the recipe does not take.
    """
    _check(recipe)
    module, name, _ = RECIPES[recipe]
    try:
        values = read_yaml(path)
    except FileNotFoundError as error:
        raise BenchError(f"Cannot read the configuration {path}: {error.strerror}. Start from one of {CONFIGS}.") from None
    if not isinstance(values, dict):
        raise BenchError(f"{path} holds no settings; expected NAME: VALUE lines. Compare with {CONFIGS / f'{recipe}-mini.yaml'}.")
    for dotted, value in changes.items():
        *folders, last = dotted.split(".")
        into = values
        for folder in folders:
            into = into.setdefault(folder, {})
            if not isinstance(into, dict):
                raise BenchError(f"--set {dotted}: {folder!r} is no group of settings in {path}.")
        into[last] = value
    config: type[BaseModel] = getattr(import_module(module), name)
    try:
        return config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        hint = f"See the docstring of {name} in {config.__module__.replace('.', '/')}.py"
        if (where := ".".join(map(str, first["loc"]))) in changes:
            raise BenchError(f"--set {where}: {first['msg']}. {hint}.") from error
        raise invalid(path, error, "is no configuration", hint) from error
