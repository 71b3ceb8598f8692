"""The dashboard's built files, each read and packed once: a page of it is some files, and whoever opens it waits for all."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from mimetypes import guess_type
from pathlib import Path

from fastapi import Request, Response

MOST, LEAST = 500, 1_000
"""Files that are held at most (a build has some 50); bytes from which on packing a file spares the line anything."""
_PACKED = ("text/", "application/javascript", "application/json", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class Built:
    """A file: its bytes, the same in gzip where that is smaller, its kind, and the name of exactly these bytes."""

    plain: bytes
    packed: bytes | None
    kind: str
    tag: str


def answer(file: Path, request: Request, kept: str) -> Response:
    """The file as this browser takes it, or 304 to one that has it already. `kept` says how long it may be kept."""
    now = file.stat()
    held = _held(file, now.st_mtime_ns, now.st_size)
    packed = held.packed if "gzip" in request.headers.get("accept-encoding", "") else None
    tag = f'"{held.tag}"' if packed is None else f'"{held.tag}-gzip"'
    headers = {"Cache-Control": kept, "ETag": tag, "Vary": "Accept-Encoding"}
    if tag in {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    if packed is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(held.plain if packed is None else packed, media_type=held.kind, headers=headers)


@lru_cache(maxsize=MOST)
def _held(file: Path, changed: int, size: int) -> Built:  # noqa: ARG001  (a file that is built anew is another one)
    """The file as it is since `changed`."""
    plain = file.read_bytes()
    kind = guess_type(file.name)[0] or "application/octet-stream"
    packed = gzip.compress(plain, 9, mtime=0) if kind.startswith(_PACKED) and len(plain) >= LEAST else b""
    tag = hashlib.sha256(plain).hexdigest()[:16]
    return Built(plain, packed if 0 < len(packed) < len(plain) else None, kind, tag)
