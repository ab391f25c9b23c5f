"""The configuration beside one file of tensors: what it says otherwise than the base's would be passed by, the base's being computed with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from bench.files.published import Published
from methods.parts import unusable
from methods.reading.comparison import IDLE

_IDLE = IDLE | {"eos_token_id", "use_cache"}
"""As in the comparison of pipelines; and the end token, of which the base's own counts where a file's tensors are taken."""


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
    theirs = _settings(base, said) if said else None
    if theirs is None:
        return
    ours = _settings(base, _own(base)) or {}
    for name in sorted(ours.keys() & theirs.keys()):
        if name not in _IDLE and not name.startswith("_") and ours[name] != theirs[name]:
            raise unusable(
                what,
                published.path,
                f"its config.json says {name} {theirs[name]!r}, the base {ours[name]!r}: give its folder, which is read by it",
            )


def _own(base: Any) -> Mapping[str, Any]:
    config = base.config
    return dict(config.to_dict()) if hasattr(config, "to_dict") else {**config, "_class_name": type(base).__name__}


def _settings(base: Any, said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return all settings of a configuration, the class's defaults where it says nothing; None where it is of another class."""
    if hasattr(base.config, "to_dict"):
        own = type(base.config)
        said = said["text_config"] if isinstance(said.get("text_config"), Mapping) else said
        if str(said.get("model_type", own.model_type)) != own.model_type or "_class_name" in said:
            return None
        return dict(own.from_dict(dict(said)).to_dict())
    if said.get("_class_name") != type(base).__name__:
        return None
    parameters = inspect.signature(type(base).__init__).parameters
    every = {name: said.get(name, parameter.default) for name, parameter in parameters.items() if name != "self"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in every.items() if value is not inspect.Parameter.empty}
