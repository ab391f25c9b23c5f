"""A web server on this machine that answers as the hub does, for its real client."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "c" * 40


@dataclass
class Site:
    """What is served, and what was asked for.

    Attributes:
        files: by path; a repository's file is ``/OWNER/NAME/resolve/COMMIT/FILE``.
        asked: every request's method and path.
        cut: serve half of each file, and break off.
        url: of the server.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut: bool = False
    url: str = ""

    def put(self, repository: str, **files: bytes) -> None:
        """Add a repository with these files."""
        self.files |= {f"/{repository}/resolve/{COMMIT}/{name}": content for name, content in files.items()}

    def sent(self) -> list[str]:
        """Return the names of the repository files that were downloaded."""
        return sorted(line.partition(f"{COMMIT}/")[2] for line in self.asked if line.startswith("GET") and "/resolve/" in line)


@contextmanager
def served() -> Iterator[Site]:
    """Serve a site until the block ends."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            site.asked.append(f"{self.command} {path}")
            content = site.files.get(path)
            if content is None and path.startswith("/api/models/"):
                content = self.listing(path)
            if content is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body and site.cut and "/api/" not in path:
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
            elif body:
                self.wfile.write(content)

        def listing(self, path: str) -> bytes | None:
            repository = "/".join(path.split("/")[3:5])
            start = f"/{repository}/resolve/{COMMIT}/"
            found = {name.removeprefix(start): content for name, content in site.files.items() if name.startswith(start)}
            if not found:
                return None
            if "/tree/" in path:
                rows = [{"type": "file", "path": name, "size": len(content), "oid": "0" * 40} for name, content in found.items()]
                return json.dumps(rows).encode()
            return json.dumps({"id": repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in found]}).encode()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
