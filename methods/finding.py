"""What lies at a location of weights to lay over a base: one thing, used whole; a folder of several is refused with the list of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.files.hashes import hash_weights
from bench.files.selection import MODEL_INDEX, has_weights, shard_of, weights_of
from methods.adapters.peft import CONFIG, TENSORS
from methods.adapters.refusals import refusal
from methods.adapters.signs import GATED
from methods.denoisers import FAMILIES
from methods.parts import read_config, refuse_shard
from methods.reading.single_file import is_compvis, names_and_header

LORA = "pytorch_lora_weights.safetensors"
PARTIAL = "unet_partial.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
"""Read by ``torch.load(weights_only=True)``, which takes tensors and nothing that could run."""

_STATE = re.compile(r"(optimizer|scheduler|scaler|training_args|trainer_state|random_states|rng_state|sampler|custom_checkpoint|checkpoint)[._-]")
"""How files begin that trainers keep to go on from: the weights themselves lie beside them."""
_EARLIER = re.compile(r"checkpoint-\d+")
"""Folders of a training's earlier steps, beside what it ended with."""
_NETWORKS = tuple(family.part for family in FAMILIES)
_PARTS = (*_NETWORKS, "text_encoder", "text_encoder_2")
"""Parts that an adapter may have a folder of its own for."""
_COMPONENTS = (*_PARTS, "vae", "safety_checker", "image_encoder", "feature_extractor", "tokenizer", "tokenizer_2")


class Found(NamedTuple):
    """What lies at a location.

    Attributes:
        kind: ``network`` (a folder of diffusers), ``tensors`` (one file: an adapter, or tensors of the network) or ``adapters`` (a folder of PEFT's
            folders, one a part of the pipeline).
        path: the folder or the file.
        files: the files of tensors; none for a network.
    """

    kind: str
    path: Path
    files: tuple[Path, ...] = ()

    def hashes(self) -> dict[str, str]:
        """Return the hashes of all that decides what is laid over the base: PEFT's configuration, which says the strength, is part of it."""
        if self.kind == "network":
            return hash_weights(self.path)
        root = self.path if self.kind == "adapters" else self.path.parent
        every = [beside for file in self.files for beside in (file, file.with_name(CONFIG)) if beside.is_file()]
        return {file.relative_to(root).as_posix(): digest for file in every for digest in hash_weights(file).values()}

    def part_of(self, file: Path) -> str | None:
        """Return the part of the pipeline that the folder of ``file`` is named after; None where it is named after none."""
        if self.kind != "adapters":
            return None
        outer = file.relative_to(self.path).parts[0]
        return outer if outer in _PARTS else None


class _Candidate(NamedTuple):
    """Weights in a folder: their names in it, and what they are if they can be laid over a base on their own."""

    label: str
    found: Found | None


def find(path: Path) -> Found:
    """Return which weights ``path`` holds: a file of tensors, a folder with one such file, or a network's folder, itself or inside a pipeline's.

    Raises:
        BenchError: none of these, or more than one, of which the others would be left out.
    """
    if path.is_file():
        refuse_shard("the weights", path)
        return Found("tensors", path, (path,))
    if (path / "eraser_config.json").is_file():
        raise refusal(path, GATED.format("Receler"))
    _refuse_other_networks(path)
    candidates = list(_candidates(path))
    if len(candidates) > 1:
        labels = [each.label for each in candidates]
        first = next((each.label for each in candidates if each.found and each.found != Found("network", path)), labels[0]).partition(" and ")[0]
        raise BenchError(
            f"{path} holds {len(labels)} sets of weights, and one is laid over the base model: {', '.join(labels)}. "
            f"Name one of them, such as {path / first}, or give a folder that holds it alone."
        )
    if candidates and candidates[0].found:
        return candidates[0].found
    networks = " or ".join(f"a {family.label}'s config.json" for family in FAMILIES)
    other = f" It has {candidates[0].label}, which is none of these." if candidates else ""
    raise BenchError(f"{path} holds no weights that can be laid over the base model; expected {LORA}, {PARTIAL} or {networks}.{other}")


def _refuse_other_networks(path: Path) -> None:
    """Refuse a network's folder without its configuration, and a pipeline around a network that no track's base has."""
    for part in _NETWORKS:
        folder = path / part
        if (folder / "config.json").is_file() or (folder / CONFIG).is_file() or any(folder.glob(f"*/{CONFIG}")):
            continue
        if files := weights_of(each.name for each in folder.glob("*")).files:
            raise BenchError(f"{folder} has {files[0]} and no config.json beside it: a part is missing. Give the whole folder, or the file itself.")
    if (path / "transformer" / "config.json").is_file() and "transformer" not in _NETWORKS:
        said = read_config(path / "transformer").get("_class_name", "transformer")
        raise BenchError(f"{path} is a pipeline around a {said}; the bases of tracks are {' or '.join(f'{family.label}s' for family in FAMILIES)}.")


def _candidates(path: Path) -> Iterator[_Candidate]:
    """Yield what a folder holds, each set of weights once."""
    network = next((folder for folder in (*(path / part for part in _NETWORKS), path) if (folder / "config.json").is_file()), None)
    own = list(_files(path, network))
    yield from own
    if network is not None and (network != path or not own or any(path.glob("diffusion_pytorch_model*"))):
        yield _Candidate(f"{network.name}/" if network != path else "config.json and its weights", Found("network", network))
        taken = {network.name, *_COMPONENTS} if network != path else set()
    else:
        network, taken = None, set()
    yield from _folders(path, taken, beside=bool(own or network))


def _files(path: Path, network: Path | None) -> Iterator[_Candidate]:
    """Yield the files of tensors in a folder itself, but a network's own and those that hold the folder's pipeline once more."""
    names = sorted(file.name for file in path.glob("*") if file.is_file() and not file.name.startswith(".") and not _STATE.match(file.name))
    if (path / CONFIG).is_file() and (own := [name for name in TENSORS if name in names]):
        # The same tensors in two formats are one adapter.
        names = [name for name in names if name not in own[1:]]
    if network == path:
        names = [name for name in names if not name.startswith("diffusion_pytorch_model")]
    shards = [name for name in names if ".index." in name] or [name for name in names if shard_of(name)]
    if shards:
        raise BenchError(
            f"{path} holds weights in several files ({shards[0]}), and of these a network's own alone are read together, "
            f"diffusion_pytorch_model-* beside its config.json. Save them as one file, such as {LORA}."
        )
    for name in names:
        file = path / name
        if file.suffix.lower() not in (".safetensors", *PICKLES):
            continue
        # Repositories keep a pipeline and, beside it, all of it in one file.
        whole = (path / MODEL_INDEX).is_file() and (file.suffix == ".ckpt" or is_compvis(names_and_header(file)[0]))
        if not whole:
            yield _Candidate(name, Found("tensors", file, (file,)))


def _folders(path: Path, taken: set[str], *, beside: bool) -> Iterator[_Candidate]:
    """Yield the weights below a folder: PEFT's, and what else there is in folders that are not ``taken``.

    Args:
        path: the folder.
        taken: folders that are a pipeline's parts: whoever takes one of them compares the others. PEFT's adapters in them count nevertheless.
        beside: whether there are weights beside these, which the steps of a training on the way to them are not.
    """
    tops = [each for each in sorted(path.glob("*")) if each.is_dir() and not each.name.startswith(".")]
    tops = [each for each in tops if not (beside and _EARLIER.fullmatch(each.name))]
    adapters: dict[str, list[Path]] = {}
    for top in tops:
        files = [file for folder in (top, *sorted(top.glob("*"))) if (file := _peft(folder)) is not None]
        if files:
            adapters[top.name] = files
    known = len(adapters) == 1 or set(adapters) <= set(_PARTS)
    if adapters and known and all(len(files) == 1 for files in adapters.values()):
        together = tuple(files[0] for files in adapters.values())
        yield _Candidate(" and ".join(each.parent.relative_to(path).as_posix() for each in together), Found("adapters", path, together))
    else:
        for file in (file for files in adapters.values() for file in files):
            yield _Candidate(file.parent.relative_to(path).as_posix(), Found("adapters", path, (file,)))
    for top in tops:
        if top.name not in adapters and top.name not in taken and has_weights(file.name for file in top.rglob("*") if file.is_file()):
            yield _Candidate(f"{top.name}/", None)


def _peft(folder: Path) -> Path | None:
    """Return the tensors of a folder that PEFT saved; None where it is none."""
    if not (folder / CONFIG).is_file():
        return None
    return next((folder / name for name in TENSORS if (folder / name).is_file()), None)
