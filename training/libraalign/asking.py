"""Asking a server that speaks OpenAI's chat completions: settings, a journal, and the questions put several at once.

Every finished answer is appended to the journal, so a run that was stopped goes on where it was and pays for nothing twice.
The judge and the rewriter in :mod:`training.libraalign.endpoint` are made of this.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import BenchError, NotAvailable
from bench.files.atomic import mendable
from training.libraalign.judging import Skipped

if TYPE_CHECKING:
    import openai

Result = TypeVar("Result")

_FILTERED = {"content_filter", "content_policy_violation", "data_inspection_failed", "invalid_prompt"}
"""Error codes by which a host's own filter refuses a request before its model sees it."""

_FEWEST = 8
"""A call with fewer questions than this is never taken as proof that the endpoint is down."""


class EndpointSettings(BaseModel):
    """Where the questions go and what they may cost.

    Attributes:
        base_url: of the server, usually ending in ``/v1``; None is the client's own default, OpenAI.
        model: its name on that server.
        api_key_env: the environment variable that holds the key. The key itself is written nowhere.
        timeout: seconds until the client gives a request up.
        retries: how often the client repeats a request that failed; how long it waits in between is its own affair.
        attempts: how often a question is put when the answer is nonsense.
        parallel: questions in flight at once.
        price_in: of a million tokens sent, in any currency.
        price_out: of a million tokens received.
        budget: no new question is put once this much is spent, by the tokens that the server reports, earlier runs included.
    """

    # Somebody will paste the key itself where its variable's name belongs: no message may then show it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str | None = Field(None, pattern=r"^https?://\S+$")
    model: str = Field(min_length=1)
    api_key_env: str = Field("OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    timeout: float = Field(60, gt=0)
    retries: int = Field(5, ge=0)
    attempts: int = Field(3, ge=1)
    parallel: int = Field(8, ge=1)
    price_in: float = Field(0, ge=0)
    price_out: float = Field(0, ge=0)
    budget: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _priced(self) -> EndpointSettings:
        if self.budget is not None and not (self.price_in or self.price_out):
            raise ValueError("a budget needs price_in or price_out: without a price nothing is ever spent")
        return self

    @property
    def host(self) -> str:
        """The server's name for messages, without what else an address may hold (a user, a password, a key)."""
        return urlsplit(self.base_url).hostname or "the given base_url" if self.base_url else "OpenAI"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked, what came of it, and what it cost.

    Attributes:
        requests: put since this judge or rewriter was made; the client's own repetitions are not counted.
        answered: rows with an answer.
        from_journal: rows, answered or skipped, that cost no request because the journal held them.
        skipped: rows without an answer, by reason.
        tokens_in: sent, as the server reports them, the journal's earlier runs included.
        tokens_out: received, likewise.
        cost: of these tokens, by the prices of the settings.
    """

    requests: int
    answered: int
    from_journal: int
    skipped: dict[str, int]
    tokens_in: int
    tokens_out: int
    cost: float


class _Entry(BaseModel):
    """A line of the journal; one with neither answer nor skip only says what a question cost that is still open."""

    model_config = ConfigDict(extra="forbid")

    key: str
    answer: dict[str, Any] | None = None
    skip: str | None = None
    tokens_in: int
    tokens_out: int


class _Journal:
    """Finished answers in a JSONL file that is only ever appended to. Not for two processes at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, _Entry] = {}
        self.tokens_in = self.tokens_out = 0
        with mendable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.exists() else b""
            whole = content.rfind(b"\n") + 1
            if whole < len(content):  # a process was killed while it wrote: what follows must begin on a line of its own
                os.truncate(path, whole)
        for line in content[:whole].splitlines():
            try:
                self._keep(_Entry.model_validate_json(line))
            except ValidationError:
                continue  # damaged: its question is asked again

    def _keep(self, entry: _Entry) -> None:
        self.tokens_in += entry.tokens_in
        self.tokens_out += entry.tokens_out
        if entry.answer is not None or entry.skip is not None:
            self.entries[entry.key] = entry

    def append(self, entry: _Entry) -> None:
        """Write ``entry`` to the device, so that from here on nothing loses it."""
        with mendable(self.path), self.path.open("ab") as file:
            file.write(entry.model_dump_json(exclude_none=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._keep(entry)


@dataclass(frozen=True, slots=True)
class Question(Generic[Result]):
    """What is asked.

    Attributes:
        identity: what tells it from every other question under the same instruction.
        content: makes the user's message; called only when it is sent, since encoded images are large.
        read: makes the result of an answer; raises ValueError where the answer is nonsense.
    """

    identity: Sequence[str]
    content: Callable[[], Any]
    read: Callable[[Any], Result | Skipped]


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[Result]):
    result: Result | Skipped
    entry: _Entry
    requests: int


class Asker(Generic[Result]):
    """Puts questions to the endpoint, several at once, and journals what comes of each.

    Threads only ask; whoever calls :meth:`ask` journals. They are daemons, so that Ctrl-C need not wait for a slow server.
    """

    def __init__(self, settings: EndpointSettings, journal: Path, who: str, product: str, instruction: str, form: type[BaseModel]) -> None:
        self.settings, self.instruction, self.form = settings, instruction, form
        self.client = _client(settings)
        self.journal = _Journal(journal)
        self.silence, self.refusal = Skipped(f"the {who} did not answer"), Skipped(f"the {who} refused")
        self.nonsense = Skipped(f"the {who}'s answer was no {product}")
        self.schema = {"type": "json_schema", "json_schema": {"name": product.replace(" ", "_"), "strict": True, "schema": form.model_json_schema()}}
        self.lock = Lock()
        self.requests = self.answered = self.from_journal = 0
        self.skipped: Counter[str] = Counter()

    @property
    def cost(self) -> float:
        """What was spent, earlier runs included."""
        return (self.journal.tokens_in * self.settings.price_in + self.journal.tokens_out * self.settings.price_out) / 1e6

    @property
    def usage(self) -> Usage:
        """The report so far."""
        with self.lock:
            spent = self.journal.tokens_in, self.journal.tokens_out, self.cost
            return Usage(self.requests, self.answered, self.from_journal, dict(self.skipped), *spent)

    def ask(self, questions: Sequence[Question[Result]]) -> list[Result | Skipped]:
        """Return one result for each question, in order; equal questions are put once.

        Raises:
            BenchError: the endpoint is down or refuses us, or the budget is spent.
        """
        keys = [self._key(question) for question in questions]
        by_key = dict(zip(keys, questions, strict=True))
        results = {key: result for key, question in by_key.items() if (result := self._remembered(key, question)) is not None}
        remembered = sum(key in results for key in keys)
        results |= self._put({key: question for key, question in by_key.items() if key not in results}, len(questions))
        answers = [results[key] for key in keys]
        with self.lock:
            self.from_journal += remembered
            self.answered += sum(not isinstance(answer, Skipped) for answer in answers)
            self.skipped.update(answer.reason for answer in answers if isinstance(answer, Skipped))
        return answers

    def _key(self, question: Question[Result]) -> str:
        decides = [self.settings.model, self.instruction, self.schema, *question.identity]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def _remembered(self, key: str, question: Question[Result]) -> Result | Skipped | None:
        entry = self.journal.entries.get(key)
        if entry is None:
            return None
        if entry.skip is not None:
            return Skipped(entry.skip)
        try:
            return question.read(self.form.model_validate(entry.answer))
        except ValueError:
            return None  # what was an answer by older rules is none by today's

    def _put(self, questions: dict[str, Question[Result]], rows: int) -> dict[str, Result | Skipped]:
        # So many failures in a row mean that the endpoint is down: to skip on would leave out everything.
        patience = max(_FEWEST, min(rows, 2 * self.settings.parallel))
        results: dict[str, Result | Skipped] = {}
        waiting, finished = deque(questions.items()), SimpleQueue[_Outcome[Result] | BaseException]()
        running = silent = 0
        try:
            while waiting or running:
                while waiting and running < self.settings.parallel and not self._spent():
                    Thread(target=self._work, args=(*waiting.popleft(), finished), daemon=True).start()
                    running += 1
                if not running:
                    raise BenchError(
                        f"The budget of {self.settings.budget:g} for {self.settings.model} is spent: {self.cost:.4g} so far. "
                        "Nothing that was answered is lost: raise `budget` and run the same command again to go on."
                    )
                outcome = finished.get()
                running -= 1
                if isinstance(outcome, BaseException):
                    raise outcome
                self._record(outcome)
                results[outcome.entry.key] = outcome.result
                silent = silent + 1 if outcome.result == self.silence else 0
                if silent >= patience:
                    raise BenchError(
                        f"The last {silent} questions to {self.settings.host} got no answer (a time-out, a server error, or too many requests). "
                        "Nothing that was answered is lost: see that the endpoint is up and the quota not used up, then run the same command again."
                    )
        finally:
            while not finished.empty():  # what had come when an error or Ctrl-C ended the loop is paid for
                outcome = finished.get()
                if not isinstance(outcome, BaseException):
                    self._record(outcome)
        return results

    def _spent(self) -> bool:
        return self.settings.budget is not None and self.cost >= self.settings.budget

    def _record(self, outcome: _Outcome[Result]) -> None:
        entry = outcome.entry
        with self.lock:
            self.requests += outcome.requests
            if entry.answer is not None or entry.skip is not None or entry.tokens_in or entry.tokens_out:
                self.journal.append(entry)

    def _work(self, key: str, question: Question[Result], finished: SimpleQueue[_Outcome[Result] | BaseException]) -> None:
        try:
            finished.put(self._ask_one(key, question))
        except BaseException as error:  # it belongs to whoever waits for the answer
            finished.put(error)

    def _ask_one(self, key: str, question: Question[Result]) -> _Outcome[Result]:
        import openai

        messages: Any = [{"role": "system", "content": self.instruction}, {"role": "user", "content": question.content()}]
        form: Any = self.schema
        result: Result | Skipped = self.nonsense
        answer = None
        requests = tokens_in = tokens_out = 0
        while requests < self.settings.attempts and result == self.nonsense:
            requests += 1
            try:
                reply = self.client.chat.completions.create(model=self.settings.model, messages=messages, temperature=0, response_format=form)
                choice = reply.choices[0]
                refused = bool(choice.message.refusal) or choice.finish_reason == "content_filter"
                if reply.usage is not None:
                    tokens_in, tokens_out = tokens_in + reply.usage.prompt_tokens, tokens_out + reply.usage.completion_tokens
            except openai.APIError as error:
                result = self._fault(error)
                break
            except (ValueError, AttributeError, TypeError, IndexError):  # the body is no chat completion, so no model spoke
                result = self.silence
                break
            if refused:
                result = self.refusal
            elif choice.finish_reason != "length":
                try:
                    form_filled = self.form.model_validate_json(choice.message.content or "")
                    result = question.read(form_filled)
                except ValueError:
                    continue
                answer = None if isinstance(result, Skipped) else form_filled.model_dump()
        # Silence is not journalled, so that a later run asks again; only what it cost is.
        skip = result.reason if isinstance(result, Skipped) and result != self.silence else None
        return _Outcome(result, _Entry(key=key, answer=answer, skip=skip, tokens_in=tokens_in, tokens_out=tokens_out), requests)

    def _fault(self, error: openai.APIError) -> Skipped:
        """Return the skip that ``error`` amounts to; raise BenchError where every other question would meet the same."""
        settings = self.settings
        code = getattr(error, "status_code", None)
        if code is None:
            # By its name, since the package that it comes from changes with the client's version (httpx, httpx2).
            if type(error.__cause__).__name__ == "ConnectError":
                raise BenchError(
                    f"Cannot connect to {settings.host}. Start the server or correct `base_url`, then run the same command again."
                ) from None
            return self.silence
        if code in (408, 409, 429) or code >= 500:
            return self.silence
        if code == 401:
            mend = f"a valid key was expected in the environment variable {settings.api_key_env}: set it"
        elif code == 403:
            mend = f"the key in the environment variable {settings.api_key_env} may not use {settings.model}: use another key or model"
        elif code == 404:
            mend = f"chat completions of {settings.model} were expected there: correct `base_url` (it usually ends in /v1) or `model`"
        elif error.code in _FILTERED:
            return self.refusal
        else:
            said = str(error.body.get("message") or "") if isinstance(error.body, dict) else ""
            said = " ".join(said.replace(self.client.api_key, "***").split())[:200]
            mend = f"a model that takes images, temperature 0 and structured outputs was expected. It said: {said!r}. Mend that or change `model`"
        # Not "from error": the server's words may hold the key.
        raise BenchError(f"{settings.host} answered with HTTP {code}; {mend}, then run the same command again.") from None


def _client(settings: EndpointSettings) -> openai.OpenAI:
    try:
        import openai
    except ImportError as error:
        raise NotAvailable("The package openai is missing. Run: pip install -c constraints.txt -e '.[train]'") from error
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key and settings.base_url is None:
        raise BenchError(f"The environment variable {settings.api_key_env} is not set. Put the key for OpenAI there, or give a `base_url`.")
    # Many local servers need no key, but the client does.
    return openai.OpenAI(api_key=key or "none", base_url=settings.base_url, timeout=settings.timeout, max_retries=settings.retries)
