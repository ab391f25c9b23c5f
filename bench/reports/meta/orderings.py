"""What is judged: every scorer's number, counting rule and composite as an order of methods, and the rivals of the composites."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from bench.metrics.catalogue import BALANCE, BESIDE, HARM, PART, composite, find_metric
from bench.metrics.composites import COMPOSITES, Constants
from bench.metrics.formulas import sigmoid
from bench.stats.clusters import Floats
from bench.types.metric import Role

MINMAX, PRODUCT = "min-max", "product"


@dataclass(frozen=True, slots=True)
class Ordering:
    """One way to put methods in order.

    Attributes:
        name: the metric's, or the rival's.
        kind: ``rule``, ``scorer``, ``composite`` or ``rival``.
        parts: the columns of images whose means it reads.
        order: takes these means, shape (..., methods, parts), and returns one number a method, shape (..., methods), higher for the better.
    """

    name: str
    kind: str
    parts: tuple[str, ...]
    order: Callable[[Floats], Floats]


def orderings(there: Collection[str], constants: Constants) -> list[Ordering]:
    """Return every ordering whose columns are ``there``: rules, scorers, composites, rivals, each in the order of tables.

    Left out are the truth itself, what is no merit either way, and parts of a rule.

    Args:
        there: metrics that every image has a value of.
        constants: what composites are computed by.
    """
    found = []
    for name in there:
        metric = find_metric(name)
        if metric.better is None or metric.role is Role.TRUTH or name.startswith(PART):
            continue
        kind = "composite" if name in COMPOSITES else "rule" if name == HARM or name.startswith(BESIDE) else "scorer"
        found.append(Ordering(name, kind, (name,), _alone(_sign(name))))
    for name, each in COMPOSITES.items():
        function = composite(name, constants)
        if not each.metric.of_images and function is not None and set(each.metric.made_of) <= set(there):
            found.append(Ordering(name, "composite", each.metric.made_of, _of_means(function)))
    kinds = ("rule", "scorer", "composite")
    return sorted(found, key=lambda each: kinds.index(each.kind)) + _rivals(there, constants)


def _rivals(there: Collection[str], constants: Constants) -> list[Ordering]:
    """Return two other ways to make one number of what UAS is made of, each of which differs from it in one thing."""
    parts = COMPOSITES[BALANCE].metric.made_of
    scales = constants.scales(find_metric(part).print_name for part in parts)
    if not set(parts) <= set(there):
        return []
    signs = np.array([_sign(part) for part in parts])
    found = [Ordering(MINMAX, "rival", parts, _min_max(signs))]
    return found if scales is None else [*found, Ordering(PRODUCT, "rival", parts, _product(signs, np.array(scales)))]


RIVALS: Mapping[str, str] = {
    MINMAX: "the mean of both parts, each from 0 for the worst row of the table to 1 for the best",
    PRODUCT: "UAS's two sigmoids multiplied, not averaged",
}
"""What they are, in words."""


def _sign(name: str) -> float:
    return 1.0 if find_metric(name).better == "higher" else -1.0


def _alone(sign: float) -> Callable[[Floats], Floats]:
    return lambda means: sign * means[..., 0]


def _of_means(function: Callable[..., Floats]) -> Callable[[Floats], Floats]:
    return lambda means: np.asarray(function(*np.moveaxis(means, -1, 0)), dtype=np.float64)


def _min_max(signs: Floats) -> Callable[[Floats], Floats]:
    def order(means: Floats) -> Floats:
        goodness = signs * means
        least, most = goodness.min(axis=-2, keepdims=True), goodness.max(axis=-2, keepdims=True)
        same = most == least  # a part in which no row differs says nothing
        return np.asarray(np.where(same, 0.5, (goodness - least) / np.where(same, 1.0, most - least)).mean(axis=-1))

    return order


def _product(signs: Floats, scales: Floats) -> Callable[[Floats], Floats]:
    centers, widths = scales.T
    return lambda means: np.asarray(np.prod(sigmoid(signs * (means - centers) / widths), axis=-1))
