"""Which units a run moves: a condition, a file of keys, the quarantined ones, a sample, a limit."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import pyarrow as pa

from ludb.engine.migration import Migration
from ludb.engine.unit_list import UnitList, keys_where, root_keys
from ludb.errors import ConfigError
from ludb.model.keys import key_bytes, key_text
from ludb.service.overlap import moved_before, set_aside_before, times_moved
from ludb.service.site import Site
from ludb.wording import plural

NAMED = 20
"""Keys that a refusal names; it counts all of them."""
_READABLE = " =<>!'()*+-._:/|?&"
"""Characters of a condition that stay as they are in an instance's name; commas and brackets part its pieces."""
_LONGEST = 60
"""Characters of a condition in an instance's name; a longer one is cut and told apart by a hash."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of unit keys as it was read: one key per line, or a CSV with a header for composite keys."""

    name: str
    text: str

    def keys(self, columns: Sequence[str]) -> frozenset[str]:
        """The keys as text; `ConfigError` for a header that lacks a key column, a short line, or no key at all."""
        lines = [line for line in self.text.removeprefix("\ufeff").splitlines() if line]
        found = self._composite(lines, columns) if len(columns) > 1 else [key_text([line]) for line in lines]
        if len(columns) == 1 and found[:1] == [columns[0]]:
            del found[0]  # a header
        if not found:
            raise ConfigError(f"--units {self.name}: it names no unit", remedy="Write one key per line")
        return frozenset(found)

    def _composite(self, lines: Sequence[str], columns: Sequence[str]) -> list[str]:
        rows = csv.DictReader(io.StringIO("\n".join(lines)), skipinitialspace=True, strict=True)
        header = rows.fieldnames or []
        missing = [name for name in columns if name not in header]
        if missing:
            raise ConfigError(
                f"--units {self.name}: its first line names no column {', '.join(missing)}",
                remedy=f"Write a CSV with the header {','.join(columns)}",
            )
        found = []
        try:
            for row in rows:
                values = [row[name] for name in columns]
                if None in values:
                    raise ConfigError(f"--units {self.name}, line {rows.line_num}: a column is missing")
                found.append(key_text(values))
        except csv.Error as error:
            raise ConfigError(f"--units {self.name}, line {rows.line_num}: {error}") from error
        return found


@dataclass(frozen=True, slots=True)
class Selection:
    """What a start asks for; empty: every unit. The parts narrow one another in the order of these fields.

    `quarantined` is a text that the reason contains, empty for any reason. `sample` is a percentage as written.
    """

    where: str = ""
    units: KeyFile | None = None
    quarantined: str | None = None
    sample: str = ""
    seed: int = 0
    limit: int | None = None
    skip_missing: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.sample:
            share_of(self.sample)

    def __bool__(self) -> bool:
        return bool(self.where or self.units or self.sample) or self.quarantined is not None or self.limit is not None

    def suffix(self, key: Sequence[str]) -> str:
        """What the selection adds to the instance's name, `[sample=1%,limit=100]`; nothing if it is empty."""
        parts = []
        if self.where:
            parts.append(f"where={_readable(self.where)}")
        if self.units:
            keys = sorted(self.units.keys(key))
            parts.append(f"units={len(keys)}:{_digest(key_text(keys))}")
        if self.quarantined is not None:
            parts.append(f"quarantined={_readable(self.quarantined)}" if self.quarantined else "quarantined")
        if self.sample:
            parts.append(f"sample={share_of(self.sample).normalize():f}%" + (f"/{self.seed}" if self.seed else ""))
        if self.limit is not None:
            parts.append(f"limit={self.limit}")
        return f"[{','.join(parts)}]" if parts else ""

    def told(self, key: Sequence[str]) -> Mapping[str, object]:
        """The selection as a run keeps it: what was asked for, by the names of the options."""
        asked: dict[str, object] = {
            "where": self.where or None,
            "units": self.units.name if self.units else None,
            "only_quarantined": self.quarantined,
            "sample": self.sample or None,
            "seed": self.seed or None,
            "limit": self.limit,
        }
        kept = {name: value for name, value in asked.items() if value is not None}
        return {**kept, "text": self.suffix(key).strip("[]")} if kept else {}


EVERYTHING = Selection()
"""No selection."""


def share_of(sample: str) -> Decimal:
    """The percentage of a sample as it is typed, `1%`; `ConfigError` unless it is above 0 and at most 100."""
    number, sign, rest = sample.strip().partition("%")
    try:
        share = Decimal(number.strip())
        if sign and not rest and 0 < share <= 100:
            return share
    except InvalidOperation:  # no number, or one that compares with nothing
        pass
    raise ConfigError(f"--sample {sample}: not a share of the units", remedy="Write a percentage: --sample 1%")


def in_sample(key: bytes, share: Decimal, seed: int) -> bool:
    """Whether a unit is in the sample: by a hash of its key and the seed, so that it is in the same sample again, and in
    every larger one.
    """
    digest = hashlib.blake2b(key, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest) * 100 < share * (1 << 64)


def select_units(site: Site, migration: Migration, selection: Selection, *, some: bool = False) -> UnitList:
    """Freeze the unit list: the selected units that no run of the job has moved yet, in the source's own order. Where
    every output writes over what is there, units are moved again, but for those in doubt.

    With a limit, units that no run has set aside yet come first, of these the ones that the fewest runs have moved.
    `ConfigError` for keys of the file that the source does not have, and for a selection that nothing is left of, saying
    which part emptied it. Without a selection there may be nothing left to move, unless there must be `some`.
    """
    keys = root_keys(migration)
    values = list(zip(*(keys.column(name).to_pylist() for name in migration.job.unit.key), strict=True))
    kept: Sequence[int] = range(len(values))
    for what, part in _parts(site, migration, selection, values):
        before = len(kept)
        kept = [at for at in kept if part(at)]
        if not kept:
            raise _emptied(what, before)
    selected = len(kept)
    moved = moved_before(site, migration.job.name, again=migration.job.repeatable)
    if moved:
        kept = [at for at in kept if key_bytes(values[at]) not in moved]
        if not kept and (selection or some):
            raise ConfigError(
                f"nothing is left to move: {plural(selected, 'unit')}, all moved by earlier runs of {migration.job.name}",
                remedy="Select other units; `ludb runs` shows the earlier runs",
            )
    left = len(kept)
    if selection.limit is not None and selection.limit < left:
        tried = set_aside_before(site, migration.job.name)
        times = times_moved(site, migration.job.name) if migration.job.repeatable else {}
        keyed = {at: key_bytes(values[at]) for at in kept} if tried or times else {}
        first = sorted(kept, key=lambda at: (keyed[at] in tried, times.get(keyed[at], 0))) if keyed else kept
        kept = sorted(first[: selection.limit])
    return UnitList.of(
        keys.take(pa.array(kept, pa.int64())) if len(kept) < keys.num_rows else keys,
        moved_before=selected - left,
        unselected=keys.num_rows - selected + left - len(kept),
    )


Part = Callable[[int], bool]


def _parts(
    site: Site, migration: Migration, selection: Selection, values: Sequence[tuple[object, ...]]
) -> list[tuple[str, Part]]:
    """The parts that narrow the list, in their order, each with its name as it is typed."""
    parts: list[tuple[str, Part]] = []
    if selection.where:
        found = {key_bytes(key) for key in keys_where(migration, selection.where)}
        parts.append((f"--where {selection.where}", lambda at: key_bytes(values[at]) in found))
    if selection.units:
        named = _named(selection.units, migration, values, skip_missing=selection.skip_missing)
        parts.append((f"--units {selection.units.name}", lambda at: key_text(values[at]) in named))
    if selection.quarantined is not None:
        aside = set_aside_before(site, migration.job.name, selection.quarantined)
        told = f"--only-quarantined {selection.quarantined}".strip()
        parts.append((told, lambda at: key_bytes(values[at]) in aside))
    if selection.sample:
        share, seed = share_of(selection.sample), selection.seed
        parts.append((f"--sample {selection.sample}", lambda at: in_sample(key_bytes(values[at]), share, seed)))
    return parts


def _named(
    file: KeyFile, migration: Migration, values: Sequence[tuple[object, ...]], *, skip_missing: bool
) -> Collection[str]:
    """The keys of the file; refused if the source lacks one of them."""
    unit = migration.job.unit
    named = file.keys(unit.key)
    missing = sorted(named - {key_text(key) for key in values}) if not skip_missing else []
    if missing:
        shown = ", ".join(repr(key) for key in missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
        are = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"--units {file.name}: {len(missing):,} of {plural(len(named), 'key')} {are} not in {unit.root.table}: {shown}",
            remedy="Mend the file, or say --skip-missing",
        )
    return named


def _emptied(what: str, before: int) -> ConfigError:
    return ConfigError(
        f"the selection matches nothing: {what} leaves none of {plural(before, 'unit')}", remedy="Select other units"
    )


def _readable(text: str) -> str:
    """A condition as part of a name: distinct for distinct texts."""
    plain = quote(text, safe=_READABLE)
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}~{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
