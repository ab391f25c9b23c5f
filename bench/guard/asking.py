"""What a method is asked, and what of its answer is kept: an outcome a sample, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import BenchError, OutOfTime, blaming, is_ctrl_c, naming, said
from bench.guard.calls import Call, Caller, own, taken
from bench.types import Context, Method, Outcome, Sample
from bench.types.sample import check


def load(method: Method, name: str, context: Context, caller: Caller) -> Method:
    """Return ``method``, loaded.

    Raises:
        BenchError: it cannot be.
    """
    with blaming("method", name, "load"), caller.call(Call("method", name, "load")):
        method.load(context)
    return method


def outcomes(method: Method, name: str, batch: Sequence[Sample], caller: Caller) -> list[Outcome | str]:
    """Return an outcome, or the reason of its failure, for each sample.

    What is no ``Exception`` is the method's failure as well: ``SystemExit`` would else end the command with an exit code of the method's choice.

    Raises:
        BenchError: what the method has for the user to mend.
        OutOfTime: it took longer than it may.
        torch.OutOfMemoryError: the device's memory does not hold the batch.
    """
    import torch

    call = Call.on("method", name, "generate", batch)
    try:
        with caller.call(call):
            given = taken("the method", method.generate(own(batch)), len(batch), "outcomes", "samples")
            if isinstance(given, str):
                return [given] * len(batch)
            return [check(outcome, sample) for outcome, sample in zip(given, batch, strict=True)]
    except BenchError as error:
        raise naming(error, call.noun, call.name, call.asked()) from None
    except (torch.OutOfMemoryError, OutOfTime):
        raise
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        return [said(error)] * len(batch)
