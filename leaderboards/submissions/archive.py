"""The archive of a bundle: one form, to the byte. Whatever differs from it is refused, so nothing can hide between the members.

Members are stored and not compressed (their tables are compressed inside), in the order of their names, with fixed dates and rights.
What is read is written again and compared, which leaves no room for compressed bombs, overlapping or doubled members, comments, extra fields,
bytes before or behind, or two directories that disagree.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Mapping

from leaderboards.submissions.limits import BUNDLE_BYTES, MEMBER_BYTES, RUNS
from leaderboards.submissions.slugs import portable
from leaderboards.submissions.verdicts import Refused, shown

FILES = ("manifest.json", "method.json", "results.json", "samples.parquet")
"""Of one run, in the folder ``runs/NAME``."""

INDEX = "bundle.json"
_MEMBER = re.compile(rf"bundle\.json|runs/[A-Za-z0-9][A-Za-z0-9_.-]{{0,119}}/(?:{'|'.join(re.escape(file) for file in FILES)})")
_MEMBERS = 1 + RUNS * len(FILES)
_END = 22
"""Bytes of the record at a zip's end, where it has no comment."""


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of ``members``: the same bytes for the same members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # as on Unix, wherever it is written
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, members[name])
    return buffer.getvalue()


def unpack(raw: bytes) -> dict[str, bytes]:
    """Return the members of the archive ``raw``. Nothing is written anywhere.

    Raises:
        Refused: it is no such archive.
    """
    if len(raw) > BUNDLE_BYTES:
        raise Refused(f"the file has {len(raw)} bytes; at most {BUNDLE_BYTES} are read")
    if not raw.startswith(b"PK\x03\x04"):
        raise Refused("it is not a zip file that `bench submit` wrote: it does not begin with a member")
    if raw[-_END:][:4] != b"PK\x05\x06":
        raise Refused("it is cut off, or not a plain zip file: it does not end with a zip's directory")
    count = int.from_bytes(raw[-_END + 10 : -_END + 12], "little")
    if count > _MEMBERS or int.from_bytes(raw[-_END + 12 : -_END + 16], "little") > 512 * count:
        raise Refused(f"it holds {count} members or a directory out of proportion; a bundle has at most {_MEMBERS} members")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            _check(archive.infolist())
            members = {info.filename: archive.read(info) for info in archive.infolist()}
    except Refused:
        raise
    except Exception as error:  # zipfile raises many kinds on damaged files
        raise Refused(f"it is not a whole zip file ({type(error).__name__})") from None
    if pack(members) != raw:
        raise Refused("it is not as `bench submit` writes it: there are bytes, dates or fields that do not belong to its members")
    return members


def _check(infos: list[zipfile.ZipInfo]) -> None:
    seen: dict[str, str] = {}
    for info in infos:
        name = info.orig_filename
        if name.startswith(("/", "\\")) or ":" in name or ".." in re.split(r"[/\\]", name):
            raise Refused(f"the member {shown(name)} names a place outside the bundle")
        if name.endswith("/") or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise Refused(f"the member {shown(name)} is a link or folder and no file")
        before = seen.setdefault(name.casefold(), name)
        if len(seen) < infos.index(info) + 1:
            raise Refused(f"the member {shown(name)} is there twice" + (f", once as {shown(before)}" if before != name else ""))
        if not all(map(portable, name.split("/"))):
            raise Refused(f"the member {shown(name)} cannot be unpacked on Windows")
        if not _MEMBER.fullmatch(name):
            raise Refused(f"the member {shown(name)} does not belong in a bundle")
        if info.flag_bits & 0x1:
            raise Refused(f"the member {shown(name)} is encrypted")
        if info.compress_type != zipfile.ZIP_STORED:
            raise Refused(f"the member {shown(name)} is compressed; `bench submit` stores members as they are, so that none can unpack to more")
        if info.file_size > MEMBER_BYTES:
            raise Refused(f"the member {shown(name)} has {info.file_size} bytes; at most {MEMBER_BYTES} are read")
