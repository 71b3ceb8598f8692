"""The nursery is asked by several threads at once: a supervisor's, which looks after its workers, and a test's."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from kill_processes import Nursery, Process


def test_each_thread_is_told_of_its_own_process(nursery: Nursery, tmp_path: Path):
    """Of two readers of one pipe, one took the answer that the other waited for."""
    first = Process(nursery, nursery.start(["--version"], os.environ, tmp_path / "out"))
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            first.alive()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        pids = [nursery.start(["--version"], os.environ, tmp_path / "out") for _ in range(20)]
        assert len({first.pid, *pids}) == 21
        assert [Process(nursery, pid).wait() for pid in pids] == [0] * 20
    finally:
        over.set()
        looking.join()
