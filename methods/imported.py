"""``imported:NAME``: images that another tool made. Nothing is generated: ``bench import`` brings them, and they are scored like any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NoReturn

from bench.errors import BenchError
from bench.types import Context, Kind, Method, MethodInfo, Outcome, Sample
from bench.types.parameters import OneText


class Imported(Method):
    """Images that were made elsewhere; the parameter ``images`` is the hash of all that was brought, so that no two imports are one run."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="imported",
        kind=Kind.IMPORTED,
        summary="Images that another tool made, brought by `bench import FOLDER --suite SUITE --as NAME`.",
        licence="the tool's",
        defaults={"label": None, "images": None},
    )
    takes: ClassVar = {
        "label": OneText(what="what made the images", longest=40, or_none=True),
        "images": OneText(what="the hash of what was brought", longest=64, word=True, or_none=True),
    }
    named_by: ClassVar[str] = "label"

    def cannot_act(self, context: Context, sample: Sample) -> str:
        """Return that nothing can be generated here, and what brings images."""
        label = self.parameters["label"] or "NAME"
        return f"The images of imported:{label} were made elsewhere: bring them with `bench import FOLDER --suite SUITE --as {label}`."

    def load(self, context: Context) -> None:
        """Refuse.

        Raises:
            BenchError: always: only the tool that made the images can make them again.
        """
        self._refuse()

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Refuse; errors as :meth:`load`."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        label = self.parameters["label"] or "NAME"
        raise BenchError(
            f"The images of imported:{label} were made elsewhere and cannot be made here: import them again with the same `bench import`."
        )
