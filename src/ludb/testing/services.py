"""PostgreSQL and MariaDB for tests: real servers in temporary folders, on free ports of this machine alone.

    with running("postgres") as server:
        server.url("postgres")          # postgresql://postgres@127.0.0.1:40123/postgres

Nothing of the machine's own servers is touched. Data lies in memory where the machine has a tmpfs: durability settings
stay on and cost nothing. As root, each server runs as the user that its package made.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

Kind = Literal["postgres", "mariadb"]
"""The servers there are."""
PACKAGES: dict[Kind, tuple[str, ...]] = {
    "postgres": ("postgresql",),
    "mariadb": ("mariadb-server", "mariadb-client"),
}
"""Debian packages that carry them."""

_MEMORY = Path("/dev/shm")  # noqa: S108  (asked for below; tests of values need no disk)
_ROOM = 1 << 30
_PATIENCE = 60.0
_USERS = {"postgres": "postgres", "mariadb": "mysql"}


class Server:
    """One server process with a data folder of its own; `stop`, `kill` and `start` may follow one another."""

    def __init__(self, kind: Kind, folder: Path, port: int, options: Sequence[str] = ()) -> None:
        """`options` are further arguments of the server. Nothing is made or started yet."""
        self.kind, self.folder, self.port, self._options = kind, folder, port, tuple(options)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """How a database of this server is reached; its administrator needs no password."""
        scheme, user = ("postgresql", "postgres") if self.kind == "postgres" else ("mysql", "root")
        return f"{scheme}://{user}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the data folder; takes 0.5 s (PostgreSQL) or 3 s (MariaDB)."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USERS[self.kind])
        data = str(self.folder / "data")
        if self.kind == "postgres":
            command = [_binary("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"]
            command.append("--locale=C.UTF-8")
        else:
            command = [_binary("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db"]
            command.append("--auth-root-authentication-method=normal")
        done = subprocess.run(  # noqa: S603  (a program of the server's own package)
            self._as_user(command), cwd=self.folder, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout).decode(errors='replace')}")

    def start(self) -> None:
        """Start and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (as above)
                self._as_user(self._command()), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"{self.kind} does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End connections and shut down in order."""
        self._end(signal.SIGINT if self.kind == "postgres" else signal.SIGTERM)

    def kill(self) -> None:
        """End at once, as a failing machine would; `start` then recovers from the log."""
        self._end(signal.SIGQUIT if self.kind == "postgres" else signal.SIGKILL)

    @property
    def pid(self) -> int | None:
        """The server's process; None while it does not run."""
        return None if self._process is None else self._process.pid

    def _command(self) -> list[str]:
        data, sock = self.folder / "data", self.folder
        if self.kind == "postgres":
            settings = ["listen_addresses=127.0.0.1", "wal_level=logical", "max_connections=60", "autovacuum=off"]
            command = [_binary("postgres"), "-D", str(data), "-p", str(self.port), "-k", str(sock)]
            command += [part for setting in settings for part in ("-c", setting)]
        else:
            command = [_binary("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={sock}/s.sock"]
            command += [f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={sock}/pid"]
            command += ["--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-metadata=FULL", "--server-id=1"]
            command += ["--local-infile=1", "--innodb-buffer-pool-size=64M", "--skip-log-error"]
        return [*command, *self._options]

    def _as_user(self, command: list[str]) -> list[str]:
        """Both servers refuse root, or should; they end with the process that started them, however that ends."""
        user = _USERS[self.kind]
        last = "INT" if self.kind == "postgres" else "TERM"
        become = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if os.geteuid() == 0 else []
        return [shutil.which("setpriv") or "setpriv", *become, f"--pdeathsig={last}", *command]

    def _answers(self) -> bool:
        if self.kind == "postgres":
            status = self.folder / "data" / "postmaster.pid"
            return status.is_file() and status.read_text().splitlines()[7:8] == ["ready   "]
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def missing(kind: Kind) -> str | None:
    """What this machine lacks to run the server, and the remedy, in one line; None if it lacks nothing."""
    needed = {"postgres": ("initdb", "postgres"), "mariadb": ("mariadb-install-db", "mariadbd")}[kind]
    lacking = [name for name in (*needed, "setpriv") if _find(name) is None]
    if os.geteuid() == 0 and _USERS[kind] not in {user.pw_name for user in pwd.getpwall()}:
        lacking.append(f"the user {_USERS[kind]}")
    if not lacking:
        return None
    return f"{kind} is not on this machine ({', '.join(lacking)}): `scripts/services --install` installs it"


@contextmanager
def running(kind: Kind, options: Sequence[str] = ()) -> Iterator[Server]:
    """A fresh server, gone with its data afterwards. `options` as for `Server`."""
    room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM and os.access(_MEMORY, os.W_OK)
    folder = Path(tempfile.mkdtemp(prefix=f"ludb-{kind}-", dir=_MEMORY if room else None))
    folder.chmod(0o755)  # the server is another user; its data folder is 0700
    server = Server(kind, folder, _free_port(), options)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _binary(name: str) -> str:
    found = _find(name)
    if found is None:
        raise FileNotFoundError(name)
    return found


def _find(name: str) -> str | None:
    """A program; Debian keeps PostgreSQL's beside the path, by version, and MariaDB's where only root looks."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    places = [os.environ.get("PATH", ""), "/usr/sbin", *map(str, newest)]
    return shutil.which(name, path=os.pathsep.join(places))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(command: Sequence[str]) -> int:
    """Run a command beside both servers, or print their addresses and wait for the end of the input or Ctrl-C."""
    lacking = [reason for kind in PACKAGES if (reason := missing(kind))]
    if lacking:
        print(*lacking, sep="\n", file=sys.stderr)  # noqa: T201  (a program for people)
        return 1
    with running("postgres") as postgres, running("mariadb") as mariadb:
        urls = {"LUDB_POSTGRES_URL": postgres.url("postgres"), "LUDB_MARIADB_URL": mariadb.url("mysql")}
        if command:
            return subprocess.run(command, env=os.environ | urls, check=False).returncode  # noqa: S603  (the user's own)
        print(*(f"export {name}={url}" for name, url in urls.items()), "# Ctrl-C ends them", sep="\n", flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]))
