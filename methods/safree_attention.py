"""SAFREE's latent re-attention: low frequencies damped in a network's skip features, where the filtered text has more of them.

The authors' release holds the code (``free_lunch_utils.py`` at b8b2c3f, after FreeU) but never runs it: see :class:`methods.safree.SAFREE`.
Switched on there, and with equal ones set here too (:func:`damp`), a tiny model's and the miniature's final latents agree to 1e-4 for prompts
that have a trigger, without the self-validating filter. The code goes on where the text is not replaced, and damps by rounding alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    Place = tuple[torch.nn.Module, int]
    """A module whose input holds skip features, and the width of those before them (:meth:`methods.denoisers.family.DenoiserFamily.skips`)."""

SCALES = (0.9, 0.2)
"""What low frequencies are set to, where the network is widest (1280 channels in Stable Diffusion) and next to widest (640)."""


def damp(filtered: torch.Tensor, plain: torch.Tensor, scale: float) -> torch.Tensor:
    """Return ``filtered`` with those of its four lowest frequencies set to ``scale`` whose real part exceeds that of ``plain``.

    The authors' code sets equal ones too. That decides by rounding alone where the text had no effect yet, so equal ones stay here.

    Args:
        filtered: features predicted from the filtered text, (n, channels, height, width).
        plain: the same from the prompt's own text.
        scale: the new value. The code puts it in the coefficient's place and does not multiply.
    """
    import torch

    spectrum, reference = (torch.fft.fft2(each.float()) for each in (filtered, plain))
    rows, columns = torch.tensor([[-1], [0]]), torch.tensor([-1, 0])
    low = spectrum[..., rows, columns]
    spectrum[..., rows, columns] = torch.where(low.real > reference[..., rows, columns].real, scale, low)
    return torch.fft.ifft2(spectrum).real.to(filtered.dtype)


def damped_places(skips: Sequence[Place]) -> list[tuple[torch.nn.Module, int, float]]:
    """Return each module that is damped, the width of the features which come from below, and the scale."""
    widths = sorted({width for _, width in skips}, reverse=True)
    scales = dict(zip(widths, SCALES, strict=False))
    return [(module, width, scales[width]) for module, width in skips if width in scales]


@contextmanager
def re_attention(skips: Sequence[Place], rows: Callable[[], torch.Tensor | None]) -> Iterator[None]:
    """Damp a network's skip features for as long as the block lasts.

    Args:
        skips: of a network that predicts for three texts at once: unconditional, filtered, plain.
        rows: says at each call which samples are to be damped, (samples,), bool; None where the call is to be left alone.
    """
    import torch

    def hook(width: int, scale: float) -> Callable[..., Any]:
        def before(module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
            chosen = rows()
            if chosen is None:
                return None
            features, skip = args[0].split([width, args[0].shape[1] - width], dim=1)
            empty, filtered, plain = skip.chunk(3)
            filtered = torch.where(chosen.view(-1, 1, 1, 1), damp(filtered, plain, scale), filtered)
            return (torch.cat([features, torch.cat([empty, filtered, plain])], dim=1), *args[1:])

        return before

    hooks = [module.register_forward_pre_hook(hook(width, scale)) for module, width, scale in damped_places(skips)]
    try:
        yield
    finally:
        for each in hooks:
            each.remove()
