"""A run's scores: which scorers it is to have, with their fingerprints, and what of them is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.console import say
from bench.errors import BenchError, Damaged, blaming
from bench.registry import scorers
from bench.runs.folder import RunFolder
from bench.runs.score_sets import ScoreSet
from bench.runs.sources import source
from bench.runs.spec import RunSpec, digest
from bench.runs.tables import kinds_in
from bench.types import Context, Sample, Scorer
from bench.types.metric import Role
from bench.types.track import MINIATURE, Track


def make_scorer(name: str, track: Track) -> Scorer:
    """Return the scorer called ``name`` with the parameters that ``track`` gives it.

    Raises:
        BenchError: it is unknown, or does not run on this track.
    """
    kind = scorers.get(name)
    if kind.info.tracks and not track.is_one_of(kind.info.tracks):
        raise BenchError(f"The scorer {name!r} does not run on track {track.name!r}; it runs on: {', '.join(kind.info.tracks)}.")
    with blaming("scorer", name, "__init__"):
        scorer = kind(**track.scorers.get(name, {}))
        if not isinstance(getattr(scorer, "parameters", None), dict):
            raise BenchError(f"The scorer {name!r} is broken: its `__init__` does not call Scorer's, so that it has no parameters.")
        return scorer


@dataclass(frozen=True, slots=True)
class ChosenScorer:
    """A scorer with its fingerprint, so that worker processes need not hash its weights again.

    Attributes:
        name: the registry name.
        fingerprint: hash of name, version, parameters and weights; of a scorer that the harness does not bring, of its source too.
        description: version, parameters, weights' hashes, and the source's.
    """

    name: str
    fingerprint: str
    description: Mapping[str, Any]


def choose_scorers(names: str | Sequence[str], track: Track) -> tuple[ChosenScorer, ...]:
    """Return ``names`` with their fingerprints on ``track``; none of them is loaded.

    Raises:
        BenchError: a scorer is unknown, does not run on this track, or its weights are not here.
    """
    context = Context(track)
    planned = []
    for name in dict.fromkeys([names] if isinstance(names, str) else names):
        scorer = make_scorer(name, track)
        with blaming("scorer", name, "weights"):
            weights, known = dict(scorer.weights(context)), dict(scorer.known_as(context))
        description = {"version": scorer.info.version, "parameters": scorer.parameters, "weights": weights, **source(scorers, name)}
        with blaming("scorer", name, "version, parameters and weights"):
            fingerprint = digest({"scorer": name, **description})
        planned.append(ChosenScorer(name, fingerprint, {**description, **({"known_as": known} if known else {})}))
    return tuple(planned)


def default_scorers(spec: RunSpec) -> list[str]:
    """Return the scorers that run on a run by default: the track's for its suite, and of a user's own prompts those alone that know no truth.

    A scorer of the miniature's truth reads its world, and a user's text is none of its sentences.
    """
    names = spec.loaded_track.scorers_on(spec.suite)
    return names if spec.file is None else [name for name in names if scorers.get(name).info.role is not Role.TRUTH]


def check_sizes(planned: Sequence[ChosenScorer], sizes: Iterable[tuple[str, int, int]]) -> None:
    """Refuse pictures that a scorer of the miniature's world cannot read, before any is generated.

    Args:
        planned: the scorers.
        sizes: of every picture, or of each size one: what it is called, width and height.

    Raises:
        BenchError: one has another size than the world's, and a scorer reads that world alone.
    """
    from bench.miniature.render import SIZE

    bound = [each.name for each in planned if tuple(scorers.get(each.name).info.tracks) == (MINIATURE,)]
    other = next((each for each in sizes if each[1:] != (SIZE, SIZE)), None) if bound else None
    if other is not None:
        raise BenchError(
            f"The scorer {bound[0]!r} reads the miniature's world, whose pictures are {SIZE}x{SIZE}; {other[0]} is of {other[1]}x{other[2]}. "
            "Give that size, or name scorers that read any: --scorer NAME; see `bench ls scorers`."
        )


def planned_sizes(samples: Iterable[Sample]) -> Iterator[tuple[str, int, int]]:
    """Yield the sizes that samples ask for, as :func:`check_sizes` takes them."""
    return ((f"sample {each.prompt_id!r}", each.width, each.height) for each in samples)


def score_set(folder: RunFolder, planned: ChosenScorer) -> ScoreSet:
    """Return where a scorer's results go in a run."""
    columns = tuple(scorers.get(planned.name).info.columns)
    return folder.score_set(planned.name, planned.fingerprint, columns, planned.description)


def with_lapsed(folder: RunFolder, planned: Sequence[ChosenScorer], track: Track) -> tuple[ChosenScorer, ...]:
    """Return ``planned`` and the run's other current scorers whose scores are not all there and whole.

    One that is not here any more, or has another fingerprint by now, is left as it is, and said.
    """
    names = {each.name for each in planned}
    found = list(planned)
    for name, fingerprint in sorted(folder.manifest().get("scorers", {}).items()):
        if name in names or _is_whole(folder, name):
            continue
        try:
            (again,) = choose_scorers((name,), track)
        except BenchError as error:
            say(f"the scores of {name} are not all whole, and cannot be made again here: {error}")
            continue
        if again.fingerprint == fingerprint:
            found.append(again)
        else:
            say(f"the scores of {name} are not all whole, and it is another one by now. Run `bench score {folder.path} --scorer {name}`.")
    return tuple(found)


def _is_whole(folder: RunFolder, name: str) -> bool:
    try:
        return not any(folder.unproven_units(each) for each in folder.current_scores() if each.scorer == name)
    except Damaged:
        return False


def unscored(folder: RunFolder, planned: Sequence[ChosenScorer], tried: Collection[int] = ()) -> list[int]:
    """Return the finished units that any of these scorers has not scored, or whose scores are not what was written.

    Of the units ``tried`` an image that a scorer has just failed on is not asked for again.
    """
    sets = [score_set(folder, each) for each in planned]
    due = {unit for scores in sets for unit in folder.unproven_units(scores)}
    lacking = {unit for scores in sets for unit in folder.unscored_images(scores)}
    return sorted(due | (lacking - set(tried)))


def make_current(folder: RunFolder, planned: Sequence[ChosenScorer]) -> None:
    """State in the manifest that these are the scores to read; other fingerprints stay on disk unread."""
    folder.update_manifest(scorers={**folder.manifest().get("scorers", {}), **{each.name: each.fingerprint for each in planned}})


def check_kinds(folder: RunFolder, planned: Sequence[ChosenScorer]) -> None:
    """Refuse what a scorer gave in one kind for one unit and in another for the next, as workers that know nothing of each other let pass.

    The later unit's scores are dropped, so that the next command makes them anew. The harness's own scorers give one kind.

    Raises:
        BenchError: there are such scores.
    """
    for each in planned:
        scores, found = score_set(folder, each), dict[str, tuple[str, int]]()
        for unit in sorted(folder.markers()) if not scorers.is_own(each.name) else ():
            for column, kind in kinds_in(scores.table(unit)).items():
                before, first = found.setdefault(column, (kind, unit))
                if before != kind:
                    scores.table(unit).unlink()
                    raise BenchError(
                        f"The scorer {each.name!r} gave {before} in column {column!r} for unit {first} of {folder.path} and {kind} for unit {unit}, "
                        "whose scores were dropped: a column holds one kind of value. Mend the scorer, then run the same command again."
                    )
