"""Peers live in environments of their own under `.cache/bench/`, made when first wanted from pinned lists.

The project's own environment and lock know nothing of them. A peer that cannot be installed is told loudly and listed as
missing; it is never left out without a word.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
CACHE = HERE.parent / ".cache" / "bench"


class Missing(Exception):  # noqa: N818  (a fact, and what to do)
    """A peer that this machine cannot run, with the last line of what its installer said."""


def environment_of(name: str) -> Path:
    """The environment with what `peers/<name>.txt` pins; made anew when that file changes. Raises `Missing`."""
    listed = PEERS / f"{name}.txt"
    wanted = hashlib.sha256(listed.read_bytes()).hexdigest()
    place = CACHE / name
    ready = place / ".ready"
    if ready.is_file() and ready.read_text() == wanted:
        return place
    shutil.rmtree(place, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(place)], name)
    _run(
        [
            str(place / "bin" / "pip"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            str(listed),
        ],
        name,
    )
    ready.write_text(wanted)
    return place


def built(name: str, folder: Path) -> Path:
    """The folder of jars of a Maven project, compiled, with all that it needs. Raises `Missing`."""
    if shutil.which("mvn") is None:
        raise Missing(f"{name}: mvn is not on this machine")
    sources = sorted(path for path in folder.rglob("*") if path.suffix in (".java", ".xml"))
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    place = CACHE / name
    ready = place / ".ready"
    if not ready.is_file() or ready.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        command = ["mvn", "--quiet", "--batch-mode", "-f", str(folder / "pom.xml"), f"-Dtarget={place}", "package"]
        _run(command, name)
        ready.write_text(wanted)
    return place


def program(name: str, package: str) -> str:
    """A program of the system. Raises `Missing` with the Debian package that has it."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name}: not on this machine (Debian package {package})")
    return found


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (installers, pinned lists)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Missing(f"{name}: {said[-1] if said else 'its installer failed'}")
