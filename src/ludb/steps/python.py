"""Steps written as a Python function: `transform(unit)` for one unit, or `transform_batch(batch)` for all at once."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from ludb.errors import ConfigError, FatalError, Fault, UnitError
from ludb.model.unit import POSITION, UNIT_KEY
from ludb.steps.rows import Units
from ludb.unitdb.batch import UnitBatch

_LOADING = threading.Lock()


class PythonStep:
    """A step whose rows a Python function yields.

    `transform(unit)` gets one unit at a time and yields dicts; an exception in it rejects that unit alone.
    `transform_batch(batch)` gets the `UnitBatch` and returns an Arrow table (or anything with `to_arrow()`, as Polars
    frames have) with the column `unit_key`; an exception in it takes the chunk apart.
    """

    def __init__(self, name: str, output: str, path: Path, folder: Path) -> None:
        """Import the file; `lib` of the job's `folder` is importable from it. `ConfigError` if that fails."""
        self.name, self.output = name, output
        self._folder = folder
        module = load_module(name, path, folder)
        self._transform: Callable[[Any], Any] | None = getattr(module, "transform", None)
        self._transform_batch: Callable[[UnitBatch], Any] | None = getattr(module, "transform_batch", None)
        if (self._transform is None) == (self._transform_batch is None):
            raise ConfigError(
                "a Python step defines exactly one of transform(unit) and transform_batch(batch)",
                file=name,
                remedy="Define def transform(unit) yielding dicts",
            )

    @property
    def varying(self) -> bool:
        """Whether the rows alone tell the columns."""
        return self._transform is not None

    def run(self, batch: UnitBatch) -> None:
        """Call the function and append its rows."""
        if self._transform is None:
            self._run_batch(batch)
        else:
            self._run_units(batch, self._transform)

    def _run_batch(self, batch: UnitBatch) -> None:
        assert self._transform_batch is not None
        try:
            rows = self._transform_batch(batch)
        except (ConfigError, UnitError):
            raise
        except Exception as error:
            raise UnitError(
                f"{self.name}: {type(error).__name__} in transform_batch", detail=str(error), trace=self._trace(error)
            ) from error
        if hasattr(rows, "to_arrow"):
            rows = rows.to_arrow()
        if not isinstance(rows, pa.Table):
            raise ConfigError(
                f"transform_batch returned {type(rows).__name__}", file=self.name, remedy="Return an Arrow table"
            )
        batch.append(self.output, rows, step=self.name)

    def _run_units(self, batch: UnitBatch, transform: Callable[[Any], Any]) -> None:
        rows: list[dict[str, Any]] = []
        positions: list[int] = []
        faults: dict[int, Fault] = {}
        traces: dict[int, str] = {}
        for position, unit in Units(batch):
            try:
                made = [dict(row) for row in transform(unit) or ()]
            except Exception as error:  # noqa: BLE001  (whatever the user's code raises sets this one unit aside)
                faults[position] = Fault(f"{type(error).__name__} in {self.name}", str(error))
                traces[position] = self._trace(error)
                continue
            self._check_names(made, batch.unit_key(position))
            rows.extend(made)
            positions.extend([position] * len(made))
        batch.reject(faults, step=self.name, traces=traces)
        if rows:
            batch.append_positioned(self.output, self._table(rows, positions), step=self.name)

    def _check_names(self, rows: list[dict[str, Any]], unit_key: object) -> None:
        """A row may say which unit it belongs to, but only the truth; columns are named by text."""
        for row in rows:
            if row.get(UNIT_KEY, unit_key) != unit_key:
                raise FatalError(f"{self.name}: a row says that it belongs to another unit; leave out {UNIT_KEY}")
            if POSITION in row or not all(isinstance(name, str) for name in row):
                raise FatalError(f"{self.name}: columns are named by text, and none {POSITION}")

    def _table(self, rows: list[dict[str, Any]], positions: list[int]) -> pa.Table:
        names = dict.fromkeys(name for row in rows for name in row if name != UNIT_KEY)
        columns: dict[str, Any] = {POSITION: pa.array(positions, pa.int64())}
        for name in names:
            try:
                columns[name] = pa.array([row.get(name) for row in rows])
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
                raise UnitError(
                    f"{self.name}: the values of {name!r} are of several types; yield one type per column",
                    detail=str(error),
                ) from error
        return pa.table(columns)

    def _trace(self, error: BaseException) -> str:
        """The stack cut to the job's own files: what its author can mend."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).is_relative_to(self._folder)]
        shown = [
            f"{Path(frame.filename).relative_to(self._folder).as_posix()}:{frame.lineno} in {frame.name}: {frame.line}"
            for frame in own
        ]
        return "\n".join([*shown, type(error).__name__])


def load_module(name: str, path: Path, folder: Path) -> ModuleType:
    """A Python file of a job, imported by path. `lib` is looked up in this job's folder alone, also if another job's is
    loaded. `ConfigError` with its line if it cannot be imported.
    """
    spec = importlib.util.spec_from_file_location(f"ludb_step_{abs(hash((str(folder), name)))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _LOADING, _own_lib(folder):
        try:
            spec.loader.exec_module(module)
        except SyntaxError as error:
            raise ConfigError(f"{error.msg}", file=name, line=error.lineno, column=error.offset) from error
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
            line = frames[-1].lineno if frames else None
            raise ConfigError(f"cannot be imported: {type(error).__name__}: {error}", file=name, line=line) from error
    return module


@contextmanager
def _own_lib(folder: Path) -> Iterator[None]:
    def purge() -> None:
        for loaded in [n for n in sys.modules if n == "lib" or n.startswith("lib.")]:
            del sys.modules[loaded]

    purge()
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        purge()
