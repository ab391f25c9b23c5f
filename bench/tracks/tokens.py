"""How many prompts are longer than a track's base model reads: its tokenizers cut them without a word, as Stable Diffusion does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before transformers is imported
from bench.errors import BenchError
from bench.files import hub
from bench.files.locations import resolve
from bench.files.selection import MODEL_INDEX
from bench.types.track import Track

CUT = "cut"
"""Of a manifest's suite; absent where it is not known."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Prompts that lose their end.

    Attributes:
        prompts: how many are longer than one of the tokenizers takes.
        of: how many there are.
        longest: tokens of the longest, start and end among them.
        limit: tokens that are read, start and end among them; of several tokenizers the fewest.
    """

    prompts: int
    of: int
    longest: int
    limit: int

    def words(self) -> str:
        """Return it as a caption has it."""
        longest = f"; the longest has {self.longest}" if self.prompts else ""
        return f"{self.prompts} of {self.of} ({self.limit} tokens are read{longest})"


def cut_prompts(track: Track, prompts: Sequence[str], folder: Path | None = None, added: int = 0) -> Cut | None:
    """Return how many of ``prompts`` the tokenizers cut; None where these are not here. Nothing is fetched.

    Args:
        track: whose base's tokenizers read them.
        prompts: the texts.
        folder: of a pipeline whose tokenizers read them in place of the base's; of one without any they are the base's.
        added: tokens that stand after every prompt, for which one that is too long makes room.
    """
    base = _base_here(track)
    found = (tokenizers(folder) if folder is not None else []) or (tokenizers(base) if base is not None else [])
    if not found:
        return None
    limits = [int(each.model_max_length) for each in found]
    # verbose: a word of warning for one of them is no count.
    lengths = [[len(ids) + added for ids in each(list(prompts), verbose=False).input_ids] for each in found] if prompts else [[] for _ in found]
    over = [any(length > limit for length, limit in zip(of_one, limits, strict=True)) for of_one in zip(*lengths, strict=True)]
    return Cut(sum(over), len(prompts), max((length for each in lengths for length in each), default=0), min(limits))


def tokenizers(base: Path) -> list[Any]:
    """Return the tokenizers of the pipeline in the folder ``base``, first to last; none where one cannot be read: loading the model says why."""
    import transformers

    try:
        index = json.loads((base / MODEL_INDEX).read_text(encoding="utf-8"))
        parts = {name: entry[1] for name, entry in sorted(index.items()) if name.startswith("tokenizer") and entry[1]}
        return [getattr(transformers, kind).from_pretrained(base / name, local_files_only=True) for name, kind in parts.items()]
    except Exception:
        return []


def _base_here(track: Track) -> Path | None:
    """Return the folder of the track's base (of one in a single file, that of its configurations), or what of it is in the hub's cache."""
    location = track.base_config or track.base
    try:
        if location.startswith("hub:"):
            return hub.cached(hub.parse(location)).path
        found = resolve(location)
        return found if found.is_dir() else found.parent
    except BenchError:
        return None
