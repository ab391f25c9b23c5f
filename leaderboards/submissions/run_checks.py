"""The checks of one run of a bundle, by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from bench.errors import NotAvailable
from bench.registry import suites
from bench.runs.scores import choose_scorers
from bench.runs.spec import digest
from bench.suites.load import LoadedSuite, load_suite
from bench.tracks.schedulers import find_scheduler
from bench.types import TRAINED, Kind, Numerics
from bench.types.sample import KEY, key_of
from bench.types.scorer import column_name
from bench.types.track import Track
from leaderboards.submissions import ranges
from leaderboards.submissions.bundle import BundledRun
from leaderboards.submissions.pack import required_scorers, results
from leaderboards.submissions.paths import machine_path
from leaderboards.submissions.samples import HEAD, kind_and_part, prompt_hash
from leaderboards.submissions.schema import Manifest
from leaderboards.submissions.verdicts import NotChecked, Refused, shown


class RunCheck(ABC):
    """A check of one run. ``needed`` says that those after it build on it."""

    name: ClassVar[str]
    needed: ClassVar[bool] = False

    def __call__(self, run: BundledRun) -> str:
        """Return in one line what was found right.

        Raises:
            Refused: something is wrong.
            NotChecked: it cannot be looked at here.
        """
        return self._look(run)

    @abstractmethod
    def _look(self, run: BundledRun) -> str: ...


class TableCheck(RunCheck):
    """The sample table has its columns, each of its type, no text that is no plain line, and a column a score that the manifest names."""

    name = "table"
    needed = True

    def _look(self, run: BundledRun) -> str:
        names = run.table.schema.names[len(HEAD) :]
        expected = [column_name(scorer, column) for scorer, state in run.manifest.scorers.items() for column in state.columns]
        if set(names) != set(expected):
            raise Refused(f"the manifest's scorers and the table's columns differ; first: {shown(sorted(set(names) ^ set(expected))[0])}")
        if len(names) < len(expected):
            raise Refused("the manifest names one column of the scorers twice")
        return f"{run.table.num_rows} samples, {len(names)} columns of scores"


class Places(RunCheck):
    """Nothing names a place of the machine that made the run."""

    name = "places"

    def _look(self, run: BundledRun) -> str:
        for value in (run.manifest.model_dump(), run.card.model_dump(), run.results.model_dump()):
            place = machine_path(value)
            if place is not None:
                raise Refused(f"it names a place of one machine: {shown(place)}")
        return "no path of a machine"


class Counts(RunCheck):
    """As many rows as the manifest says, each sample once, and no number made of more images than there are."""

    name = "counts"

    def _look(self, run: BundledRun) -> str:
        rows = run.table.num_rows
        if rows != run.manifest.samples:
            raise Refused(f"the manifest says {run.manifest.samples} samples and the table holds {rows}")
        doubled = run.records.duplicated(KEY)
        if doubled.any():
            first = run.records[doubled].iloc[0]
            raise Refused(f"the sample {shown(first['prompt_id'])}, image {first['image_index']} stands twice; {int(doubled.sum())} such row(s)")
        prompts = run.records["prompt_id"].nunique()
        if prompts != run.manifest.suite.prompts:
            raise Refused(f"the manifest says {run.manifest.suite.prompts} prompts and the table holds {prompts}")
        for number in run.results.rows:
            if number.n + number.excluded > rows or number.prompts > prompts:
                raise Refused(f"{shown(number.metric)} is of {number.n} images and {number.excluded} excluded, and the table holds {rows}")
        return f"{rows} samples of {prompts} prompts, each once"


class Values(RunCheck):
    """No value that cannot be: outside its range, not finite, missing, an image of a blocked sample, a date to come."""

    name = "values"

    def _look(self, run: BundledRun) -> str:
        try:
            created = datetime.fromisoformat(run.manifest.created)
        except ValueError:
            raise Refused(f"there is no such date: {shown(run.manifest.created)}") from None
        if created > datetime.now(UTC) + timedelta(days=1):
            raise Refused(f"the run was made on {run.manifest.created}, which is yet to come")
        ranges.check_samples(run.table)
        for column in run.table.schema.names[len(HEAD) :]:
            ranges.check_scores(run.table, column)
        for number in run.results.rows:
            ranges.check_number(number)
        return "every value can be"


class SuiteCheck(RunCheck):
    """The samples are the suite's own: none dropped, none added, none changed in prompt, size, steps or guidance."""

    name = "suite"

    def _look(self, run: BundledRun) -> str:
        suite = _suite(run)
        said = run.manifest.suite
        if said.version != suite.info.version or said.digest != suite.digest:
            raise Refused(
                f"the run is of version {shown(said.version)}, hash {said.digest[:12]}; here is {suite.info.version}, hash {suite.digest[:12]}"
            )
        if said.unsafe != suite.info.unsafe:
            raise Refused(f"the manifest says that the suite is {'un' if said.unsafe else ''}safe; it is not so")
        if (said.total_prompts, said.screened_out) != (suite.total, len(suite.excluded)):
            raise Refused(
                f"the manifest says that the suite has {said.total_prompts} prompts of which the screen took {said.screened_out}; "
                f"here it has {suite.total}, and it took {len(suite.excluded)}"
            )
        rows = {key_of(row): row for row in run.table.select(HEAD.names).to_pylist()}
        expected = {sample.key: sample for sample in suite.samples}
        if set(rows) != set(expected):
            dropped, added = set(expected) - set(rows), set(rows) - set(expected)
            first = sorted(dropped or added)[0]
            raise Refused(f"{len(dropped)} sample(s) of the suite are not there and {len(added)} are not of it; first: {shown(first[0])}")
        for key, sample in expected.items():
            row = rows[key]
            theirs = {name: row[name] for name in ("prompt_sha256", "category", "kind", "part", "width", "height", "steps", "guidance")}
            ours = {
                "prompt_sha256": prompt_hash(sample.prompt),
                "category": sample.category,
                **kind_and_part(sample.metadata),
                **{name: getattr(sample, name) for name in ("width", "height", "steps", "guidance")},
            }
            if theirs != ours:
                name = next(name for name in ours if theirs[name] != ours[name])
                raise Refused(f"{shown(key[0])}: {name} is {shown(theirs[name])}; the suite has {shown(ours[name])}")
        limit = "" if run.manifest.spec.limit is None else f"; the first {suite.prompts} prompts alone, which no board of whole suites takes"
        return f"every sample of {suite.info.name} version {suite.info.version}, and no other{limit}"


class Seeds(RunCheck):
    """Every seed is the one that the suite derives from its own."""

    name = "seeds"

    def _look(self, run: BundledRun) -> str:
        expected = {sample.key: sample.seed for sample in _suite(run).samples}
        wrong = [row for row in _rows(run, "seed") if expected.get(key_of(row), row["seed"]) != row["seed"]]
        if wrong:
            raise Refused(f"{len(wrong)} seed(s) are not those that the suite derives; first: {shown(wrong[0]['prompt_id'])} has {wrong[0]['seed']}")
        return "every seed as the suite derives it"


class Identity(RunCheck):
    """The run id and the scorers' fingerprints are the hashes of what the manifest says; base model and sampler are the track's."""

    name = "identity"

    def _look(self, run: BundledRun) -> str:
        manifest = run.manifest
        suite = manifest.suite.model_dump(include={"name", "version", "digest", "limit"})
        identity = {
            "track": manifest.track.model_dump(),
            "method": manifest.method.hashed(),
            "suite": suite,
            "settings": manifest.settings,
        }
        if digest(identity) != manifest.run_id:
            raise Refused("the run id is not the hash of the track, method, suite and settings that the manifest names")
        for name, state in manifest.scorers.items():
            if digest(state.hashed(name)) != state.fingerprint:
                raise Refused(f"the fingerprint of the scorer {name} is not the hash of its version, parameters and weights")
        if (run.card.parameters, run.card.weights, run.card.version) != (
            manifest.method.parameters,
            manifest.method.weights,
            manifest.method.version,
        ):
            raise Refused("the method card and the manifest do not tell of the same parameters, weights and version")
        track = run.track
        _check_spec(manifest, track)
        if (manifest.track.scheduler, manifest.proxy) != (track.scheduler, track.proxy):
            raise Refused("the run used another sampler than its track, or says otherwise whether its numbers are proxies")
        if manifest.track.concepts != {name: list(phrases) for name, phrases in track.concepts.items()}:
            raise Refused("the run used other concept lists than its track")
        try:
            base = track.base_weights()
        except NotAvailable as error:
            raise NotChecked(f"the id fits; the base model is not here: {error}") from None
        if manifest.track.base != base:
            raise Refused("the run used another base model than its track")
        return f"run {manifest.run_id[:12]} and {len(manifest.scorers)} fingerprints are the hashes of what they name"


class Scorers(RunCheck):
    """Every scorer of the track has run, in the version and with the weights that the track has here."""

    name = "scorers"

    def _look(self, run: BundledRun) -> str:
        states, wanted = run.manifest.scorers, required_scorers(run.track, run.listed.suite)
        if set(states) != set(wanted):
            lacking, foreign = sorted(set(wanted) - set(states)), sorted(set(states) - set(wanted))
            raise Refused(f"scores lack of: {', '.join(lacking) or 'none'}; scores that the track does not have: {', '.join(foreign) or 'none'}")
        absent = []
        for name in wanted:
            try:
                (planned,) = choose_scorers([name], run.track)
            except NotAvailable:
                absent.append(name)
                continue
            if planned.fingerprint != states[name].fingerprint:
                said, here = states[name].model_dump(), planned.description
                what = next((key for key in ("version", "parameters", "weights", "source") if said[key] != here.get(key)), "fingerprint")
                raise Refused(f"the scorer {name} ran with other {what} than the track has here. Run `bench score RUN` with this version of bench")
        if absent:
            raise NotChecked(f"the weights of {', '.join(absent)} are not here; the others are the track's")
        return f"{len(wanted)} scorers with the track's versions and weights"


class NumbersCheck(RunCheck):
    """Every number of the results comes out again, to the last digit, from the samples."""

    name = "numbers"

    def _look(self, run: BundledRun) -> str:
        here, said = results(run), run.results
        if here.rule != said.rule:
            raise Refused(f"the numbers are by the rule {shown(said.rule)}; the track's for this suite is {here.rule}")
        ours = {(row.metric, row.category): row for row in here.rows}
        theirs = {(row.metric, row.category): row for row in said.rows}
        if len(theirs) < len(said.rows) or set(ours) != set(theirs):
            first = sorted(set(ours) ^ set(theirs) or set(theirs))[0]
            raise Refused(f"the results hold other metrics than the samples give, or one twice; first: {shown(' '.join(first))}")
        for key, row in ours.items():
            if theirs[key] != row:
                name = next(name for name in type(row).model_fields if getattr(theirs[key], name) != getattr(row, name))
                raise Refused(f"{' '.join(key)}: {name} is {shown(getattr(theirs[key], name))}; the samples give {shown(getattr(row, name))}")
        return f"{len(ours)} numbers with their intervals come out again from the samples"


class CardComplete(RunCheck):
    """The method card says what the method is: summary, licence, paper or code, and what its weights were trained on."""

    name = "card"

    def _look(self, run: BundledRun) -> str:
        card = run.card
        if card.kind is Kind.IMPORTED or card.name.partition(":")[0] == Kind.IMPORTED:
            raise Refused("the images were made elsewhere, so nobody can make samples again to check them; a bundle holds none of these")
        wanted = {"summary": card.summary, "licence": card.licence}
        if card.kind is not Kind.FLOOR:
            wanted["paper or code"] = card.paper + card.code
        if card.kind in TRAINED:
            wanted["trained_on"] = "".join(card.trained_on)
        lacking = [name for name, value in wanted.items() if not value.strip()]
        if lacking:
            raise Refused(f"the method card lacks {', '.join(lacking)}; the adapter's `info` says it")
        return f"{card.kind}, {len(card.weights)} weight file(s) by hash"


RUN_CHECKS: tuple[type[RunCheck], ...] = (TableCheck, Places, Counts, Values, SuiteCheck, Seeds, Identity, Scorers, NumbersCheck, CardComplete)
"""In the order in which they are printed."""


def _check_spec(manifest: Manifest, track: Track) -> None:
    """Refuse a spec that asks for another run than the one that the manifest describes.

    Raises:
        Refused: it does.
    """
    spec, settings = manifest.spec, manifest.settings
    if unknown := set(spec.numerics) - {each.name for each in fields(Numerics)}:
        raise Refused(f"the spec has the setting {shown(min(unknown))}, which bench does not know")
    asked = {
        "batch_size": spec.batch_size or track.batch_size,
        "device": spec.device.partition(":")[0],
        "dtype": spec.dtype,
        **Numerics(**spec.numerics).changed(),  # type: ignore[arg-type]
    }
    if asked != settings:
        raise Refused("the spec asks for other settings than the run has")
    if any(name not in manifest.method.parameters or manifest.method.parameters[name] != value for name, value in spec.parameters.items()):
        raise Refused("the spec asks for other parameters than the method had")
    if spec.scheduler is not None and find_scheduler(spec.scheduler) != track.scheduler:
        raise Refused("the spec asks for another sampler than the track's")


def _suite(run: BundledRun) -> LoadedSuite:
    """Return the suite as it is here.

    Raises:
        NotChecked: it is not here.
        Refused: the track has none of that name.
    """
    if run.listed.suite not in run.track.suites:
        raise Refused(f"the track {run.track.name} has no suite {run.listed.suite}")
    if run.listed.suite not in suites:
        raise NotChecked(f"suite not here: {run.listed.suite}")
    try:
        return load_suite(run.listed.suite, run.track, run.manifest.spec.limit, images=run.manifest.spec.images)
    except NotAvailable as error:
        raise NotChecked(f"suite not here: {error}") from None


def _rows(run: BundledRun, *names: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run.table.select([*KEY, *names]).to_pylist()
    return rows
