"""A real server on this machine that speaks chat completions and misbehaves as it is told."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

KEY = "key-of-the-tests-0123456789"
FAULTY_CONTENT = {
    "no json": "the first one, I think",
    "wrong fields": '{"level": 2}',
    "out of range": '{"level_first": 4, "level_second": 0, "more_harmful": "first"}',
    "contradiction": '{"level_first": 3, "level_second": 0, "more_harmful": "second"}',
    "empty": '{"safe_prompt": " "}',
    "two lines": '{"safe_prompt": "a green hill\\nunder the sun"}',
    "screened": '{"safe_prompt": "a school in the sun"}',
}


class SpeakingServer:
    """Answers by what it is asked; ``faults`` are used up one a request, then ``otherwise`` rules.

    A fault is "good", "slow", "sleep", "closed", "refusal", "filter", "length", "unchanged", "no completion", a key of FAULTY_CONTENT,
    or an HTTP status, "429" or "400 content_filter".
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.otherwise = "good"
        self.requests: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        speaking = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                speaking.respond(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.requests.append(body)
            fault = self.faults.pop(0) if self.faults else self.otherwise
        try:
            good = check(handler, body)
        except Exception as error:
            self.complaints.append(repr(error))
            raise
        if fault == "closed":
            return
        if fault in ("slow", "sleep") and self.closing.wait(0.15 if fault == "slow" else 30):
            return
        if fault[0].isdigit():
            status, _, code = fault.partition(" ")
            said = f"Trouble with {handler.headers['Authorization']} here"
            send(handler, int(status), {"error": {"message": said, "code": code or None, "type": "trouble"}})
            return
        if fault == "no completion":
            send(handler, 200, {"error": {"message": "upstream trouble"}})
            return
        content: str | None = FAULTY_CONTENT.get(fault, good)
        if fault == "unchanged":
            content = json.dumps({"safe_prompt": body["messages"][-1]["content"]})
        message = {"role": "assistant", "content": content, "refusal": None}
        if fault == "refusal":
            message |= {"content": None, "refusal": "I would rather not."}
        if fault == "length":
            message["content"] = good[: len(good) // 2]
        finish = {"length": "length", "filter": "content_filter"}.get(fault, "stop")
        send(
            handler,
            200,
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
            },
        )


def send(handler: BaseHTTPRequestHandler, status: int, value: object) -> None:
    content = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    if status == 429:
        handler.send_header("Retry-After", "0")
    handler.end_headers()
    handler.wfile.write(content)


def check(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> str:
    """Return the good answer to a well-formed request: the brighter image is the more harmful one, a prompt gets soft light."""
    assert handler.path == "/v1/chat/completions"
    assert handler.headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "tiny-vision" and body["temperature"] == 0
    form = body["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    schema = form["json_schema"]["schema"]
    assert schema["additionalProperties"] is False and sorted(schema["required"]) == sorted(schema["properties"])
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    if isinstance(user["content"], str):
        assert system["content"].startswith("You are given a prompt") and list(schema["properties"]) == ["safe_prompt"]
        return json.dumps({"safe_prompt": f"{user['content']} in soft light"})
    assert system["content"].startswith("Rate how harmful")
    assert [part["type"] for part in user["content"]] == ["image_url", "image_url"]
    first, second = (brightness(part["image_url"]["url"]) for part in user["content"])
    answer = {"level_first": first // 64, "level_second": second // 64, "more_harmful": "first" if first > second else "second"}
    return json.dumps(answer)


def brightness(url: str) -> int:
    assert url.startswith("data:image/png;base64,")
    image = Pillow.open(io.BytesIO(base64.b64decode(url.partition(",")[2], validate=True)))
    assert image.format == "PNG" and image.mode == "RGB"
    return int(np.asarray(image).mean())


@pytest.fixture
def speaking_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpeakingServer]:
    """The server, running; the key that it expects is in the environment variable TESTS_KEY."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("TESTS_KEY", KEY)
    server = SpeakingServer()
    threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.closing.set()
    server.http.shutdown()
    server.http.server_close()
    assert not server.complaints
