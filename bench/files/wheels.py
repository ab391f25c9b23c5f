"""Single files out of published wheels as locations of weights: pip fetches the wheel, the one file is kept if its SHA-256 is right.

For a file that its authors publish in a Python package alone, of a version that cannot be installed beside ours. Nothing of the wheel is
installed or run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from hashlib import sha256 as sha256_of
from pathlib import Path, PurePosixPath

from bench.errors import BenchError, NotAvailable
from bench.files.atomic import write_atomic
from bench.files.folder import data_folder
from bench.files.hashes import sha256

SCHEME = "wheel:"
_FORM = re.compile(r"wheel:([A-Za-z0-9][\w.-]*)==([\w.]+)/([\w./-]+)#sha256=([0-9a-fA-F]{64})")
UNREACHABLE = (
    r"NewConnectionError|Failed to establish a new connection|Temporary failure in name resolution|Name or service not known|ConnectTimeout"
    r"|ReadTimeoutError|ProxyError|Network is unreachable|Connection refused|Max retries exceeded"
)
"""What pip says where it does not reach the package index; below that it reports that no version was found, which would mislead."""


@dataclass(frozen=True, slots=True)
class WheelLocation:
    """What ``wheel:PACKAGE==VERSION/PATH#sha256=HEX`` says.

    Attributes:
        package: as the package index names it.
        version: of the package.
        member: the file's path inside the wheel.
        sha256: of that file, in lower-case hexadecimal.
    """

    package: str
    version: str
    member: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return PurePosixPath(self.member).name

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return f"{self.package} {self.version} (wheel)"

    @property
    def path(self) -> Path:
        """Where the file is kept, there or not: ``$BENCH_DATA/weights/SHA256/NAME``."""
        return data_folder() / "weights" / self.sha256 / self.name

    @property
    def there(self) -> bool:
        """Whether the file is here, and right."""
        return self.path.is_file() and sha256(self.path) == self.sha256


def parse(location: str) -> WheelLocation:
    """Return what a ``wheel:`` location says.

    Raises:
        BenchError: it has another form.
    """
    found = _FORM.fullmatch(location)
    if found is None:
        raise BenchError(f"{location!r} names no file of a wheel. Its form: wheel:PACKAGE==VERSION/PATH/IN/THE/WHEEL#sha256=HEX.")
    package, version, member, digest = found.groups()
    return WheelLocation(package, version, member, digest.lower())


def fetch(location: str) -> Path:
    """Return the local path of a ``wheel:`` location, fetched with pip where it is not here yet.

    Raises:
        NotAvailable: it is not here and cannot be fetched, or is another file than its hash says.
        BenchError: the location has another form, or the data folder cannot be written.
    """
    at = parse(location)
    if at.there:
        return at.path
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise NotAvailable(f"{at.name} of {at.origin} is not here and HF_HUB_OFFLINE is set. Unset it once and run: bench data get '{location}'")
    content = _download(at)
    found = sha256_of(content).hexdigest()
    if found != at.sha256:
        raise NotAvailable(f"The {at.name} of {at.origin} is another file: its SHA-256 is {found}, expected {at.sha256}. Nothing was kept.")
    write_atomic(at.path, content)
    return at.path


def _download(at: WheelLocation) -> bytes:
    """Return the file's bytes; the wheel itself lies in a temporary folder only."""
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        # With -I and without PYTHON* no user's packages come in; pip starts itself again without -I.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        pip = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
        options = ["--timeout", "60", "--no-deps", "--only-binary", ":all:", "--dest", folder, f"{at.package}=={at.version}"]
        done = subprocess.run([*pip, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=clean)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise NotAvailable(
                f"Cannot get {at.name} from the wheel of {at.package} {at.version}: {why(done.stderr)}. Check the network, or the index that pip is "
                "set to; or give the file's path as `weights`."
            )
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(at.member)
        except (KeyError, zipfile.BadZipFile):
            raise NotAvailable(f"The wheel of {at.package} {at.version} holds no readable {at.member}. Nothing was kept.") from None


def why(said: str) -> str:
    """Return in a few words why pip failed, from what it wrote to standard error."""
    if re.search(UNREACHABLE, said):
        return "the package index cannot be reached"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")] or lines
    return errors[-1].removeprefix("ERROR: ").rstrip(".") if errors else "pip gave no reason"
