"""Workers without a start of their own: a process that has imported what they need becomes one by a fork."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn, Self, cast

from ludb.errors import LudbError

PATIENCE, LATER = 20.0, 5.0
"""Seconds in which a nursery must have made its first worker (it may still import), and each further one; then it is given up and
workers are started as processes of their own. Whoever holds the run takes no commands meanwhile.
"""
ALONE = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""What keeps the libraries from starting threads when they are imported: a fork has only the thread that made it."""
HAS_PIDFDS = sys.platform == "linux"
"""Elsewhere workers are started as processes of their own, which works everywhere and takes longer."""


class Nursery:
    """A process that imports what a worker of the job needs while its run is still planned, and forks workers from then on.

    A worker is at work after a tenth of a second instead of one. It is in a session of its own, and lives on whether the
    nursery does or not. A nursery that does not answer costs time, never a worker: `start` returns None, once `gave_up` was told
    what happened.
    """

    def __init__(self, job: Path | None = None, *, fork: Callable[[IO[bytes]], _Twin] | None = None) -> None:
        """Start to import, in the background; `job` is the folder whose adapters will be needed. `fork` makes one that has
        imported, which writes what goes wrong with it to a file.
        """
        self.gave_up: Callable[[str], None] = lambda _: None
        command = [sys.executable, "-m", "ludb", "nursery", *([] if job is None else ["--job", str(job)])]
        self._process: subprocess.Popen[bytes] | _Twin | None = None
        self._used = False
        if not HAS_PIDFDS:
            return
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (is closed once the process has ended)
        if fork is not None:
            self._process = fork(self._said)
        else:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
                start_new_session=True, env=os.environ | ALONE,
            )  # fmt: skip

    @classmethod
    def twin(cls, get_ready: Callable[[], object], main: Callable[[], object]) -> Self:
        """One that is a fork of this process, which needs the same imports: `get_ready` makes them, `main` is as in `serve`.
        For a process that has just begun: where it has threads, or no pidfds, this is the ordinary one without a job.
        """
        if HAS_PIDFDS:
            from setproctitle import getproctitle  # noqa: PLC0415  (see `serve`)

            getproctitle()
        before = {name: os.environ.get(name) for name in ALONE}
        os.environ.update(ALONE)
        with contextlib.suppress(LudbError):  # whoever needs what is wrong says so; it may be an address nobody uses
            get_ready()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if not HAS_PIDFDS or _threads() != 1:
            return cls()
        return cls(fork=lambda said: _Twin(main, said))

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], out: Path) -> Forked | None:
        """`ludb ARGUMENTS` as a new process that writes to the file `out`; None if the nursery is not able to, and then what it
        said stands there.
        """
        if self._process is None:
            return None
        asked = {"arguments": list(arguments), "environment": dict(environment), "out": str(out)}
        to, back = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        patience, answered, line = LATER if self._used else PATIENCE, True, b""
        with contextlib.suppress(OSError):
            to.write(json.dumps(asked).encode() + b"\n")
            to.flush()
            answered = bool(select.select([back], [], [], patience)[0])
            line = back.readline() if answered else b""
        if not line:
            self._give_up("" if answered else f"did not answer within {patience:g} s", out)
            return None
        self._used = True
        return Forked(int(line))

    def _give_up(self, happened: str, out: Path) -> None:
        """End it, and say why; without a reason it has ended by itself."""
        process = cast("subprocess.Popen[bytes] | _Twin", self._process)
        if not happened:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LATER)
            code = process.poll()
            ended = f"was killed by signal {-code}" if code and code < 0 else f"ended with status {code}"
            happened = "closed its line" if code is None else ended
        self._said.seek(0)
        with out.open("ab") as file:
            file.write(self._said.read())
        self._end(signal.SIGKILL)
        self.gave_up(happened)

    def close(self) -> None:
        """End it; its workers go on. One that has made none is not waited for: it may still import."""
        self._end(None if self._used else signal.SIGKILL)

    def _end(self, number: int | None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if number is not None:
            process.send_signal(number)
        process.communicate()
        self._said.close()

    def __enter__(self) -> Self:
        """The nursery."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


class _Twin:
    """A nursery that this process has forked; what is asked of it is what is asked of one that was started."""

    def __init__(self, main: Callable[[], object], said: IO[bytes]) -> None:
        """Fork it; `said` gets its standard error."""
        asked, answer = os.pipe(), os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            _serve_alone(main, asked[0], answer[1], said.fileno())
        os.close(asked[0])
        os.close(answer[1])
        self.stdin, self.stdout = os.fdopen(asked[1], "wb", 0), os.fdopen(answer[0], "rb", 0)
        self._handle, self._code = os.pidfd_open(self.pid), cast("int | None", None)

    def poll(self) -> int | None:
        """How it ended, None while it lives."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` if that takes longer."""
        if self._code is None:
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("nursery", timeout or 0.0)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._handle)
        return self._code

    def send_signal(self, number: int) -> None:
        """Signal it, unless it was waited for: its number may be another's then."""
        if self._code is None:
            os.kill(self.pid, number)

    def communicate(self) -> None:
        """Let it end, and wait for that."""
        self.stdin.close()
        self.stdout.close()
        self.wait()


def _serve_alone(main: Callable[[], object], asked: int, answers: int, said: int) -> NoReturn:
    """In the fork: have nothing in common with whoever holds the run but what is imported, and serve."""
    code = 1
    try:
        from setproctitle import setproctitle  # noqa: PLC0415  (see `serve`)

        os.setsid()
        for number, file in enumerate((asked, answers, said)):
            os.dup2(file, number)
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  (names alone are wanted)
            if int(name) > 2:
                with contextlib.suppress(OSError):  # the list itself was read by one of them
                    os.close(int(name))
        setproctitle(f"{sys.executable} -m ludb nursery")
        serve(main)
        code = 0
    except BaseException:  # noqa: BLE001  (the interpreter would print it and end with 1)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


class Forked:
    """A process that somebody else started. Its pidfd makes sure that no other process of the same number is meant."""

    def __init__(self, pid: int) -> None:
        """The process `pid`, if it still lives."""
        self.pid = pid
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = None

    def poll(self) -> int | None:
        """None while it lives; else 0, since only its parent is told how it ended."""
        return self._look(0)

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None and self._handle is not None:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it is dead."""
        self._look(None)
        return 0

    def _look(self, wait: float | None) -> int | None:
        if self._handle is None:
            return 0
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        if not poll.poll(wait):
            return None
        os.close(self._handle)
        self._handle = None
        return 0


def serve(main: Callable[[], object]) -> None:
    """The nursery's own side: fork for every line of standard input, and answer with the number of the process, until there
    are no more lines. In the fork `main` is called as if it had been started with the arguments, environment and output
    asked for. Refuses (`RuntimeError`) if it has threads, which would be missing in a fork.
    """
    from setproctitle import getproctitle, setproctitle  # noqa: PLC0415  (is there on Linux alone)

    getproctitle()  # it finds its place only as long as the environment is where the kernel put it
    if (threads := _threads()) != 1:
        raise RuntimeError(f"a process of {threads} threads cannot be forked safely")
    gc.set_threshold(50_000, 20, 50)  # a chunk's rows and calls are many objects, and none of them is a cycle
    gc.freeze()  # the collector of a worker need not touch, and so copy, what all of them share
    children: dict[int, int] = {}
    waiting = b""
    while True:
        for handle in select.select([0, *children], [], [])[0]:
            if handle:
                os.waitpid(children.pop(handle), 0)
                os.close(handle)
                continue
            more = os.read(0, 1 << 16)
            if not more:
                for pid in children.values():  # whoever asks for the processor time of all of us is told of theirs too
                    os.waitpid(pid, os.WNOHANG)
                return
            *lines, waiting = (waiting + more).split(b"\n")
            for line in lines:
                pid = os.fork()
                if not pid:
                    for child in children:
                        os.close(child)
                    _become(main, json.loads(line), setproctitle)
                children[os.pidfd_open(pid)] = pid
                os.write(1, f"{pid}\n".encode())


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208  (names alone are counted)


def _become(main: Callable[[], object], asked: Mapping[str, object], entitle: Callable[[str], None]) -> None:
    """In the fork: be the process that was asked for, and end as it ends."""
    code = 1
    try:
        os.setsid()
        out = os.open(str(asked["out"]), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        for number, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, out)):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(cast("dict[str, str]", asked["environment"]))
        sys.argv = ["ludb", *cast("list[str]", asked["arguments"])]
        entitle(" ".join([sys.executable, "-m", *sys.argv]))
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  (the interpreter would print it and end with 1)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
