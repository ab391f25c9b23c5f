"""The configuration beside one file of tensors: what it says otherwise than the base's would be passed by, the base's being computed with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from bench.files.published import Published
from methods.parts import unusable
from methods.reading.comparison import computing, settings_of

_OF_THE_BASE = {"eos_token_id", "use_cache"}
"""Of a text encoder whose tensors are taken: the end token that counts is the base's own."""


def refuse_other_settings(what: str, published: Published, base: Any) -> None:
    """Refuse a file whose ``config.json`` is of the base's class and says otherwise than the base's.

    Args:
        what: it is, for messages.
        published: the file.
        base: the model of the base whose place its tensors take.

    Raises:
        BenchError: a setting differs.
    """
    said = published.settings.sidecars.get("config.json")
    config = _config(base, said) if said else None
    if config is None:
        return
    ours, theirs = settings_of(base, base.dtype), computing(type(base), config, base.dtype)
    for name in sorted(ours.keys() & theirs.keys() - _OF_THE_BASE):
        if ours[name] != theirs[name]:
            raise unusable(
                what,
                published.path,
                f"its config.json says {name} {theirs[name]!r}, the base {ours[name]!r}: give its folder, which is read by it",
            )


def _config(base: Any, said: Mapping[str, Any]) -> Any:
    """Return a configuration with the class's defaults where it says nothing; None where it is of another class than the base's."""
    if hasattr(base.config, "to_dict"):
        own = type(base.config)
        said = said["text_config"] if isinstance(said.get("text_config"), Mapping) else said
        if str(said.get("model_type", own.model_type)) != own.model_type or "_class_name" in said:
            return None
        return own.from_dict(dict(said))
    if said.get("_class_name") != type(base).__name__:
        return None
    parameters = inspect.signature(type(base)).parameters
    defaults = {name: each.default for name, each in parameters.items() if each.default is not inspect.Parameter.empty}
    return {**defaults, **said}
