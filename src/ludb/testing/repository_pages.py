"""The contract of pages: every row is on one page, none on two, whatever comes meanwhile."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from ludb.model.events import Event
from ludb.model.run import ChunkState, Counters, RunState, Segment, UnitState
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, claimed, fault, moved, planned, started


class PagesContract:
    """What is shown adds up, and is short."""

    def test_runs_come_page_by_page_with_their_counters(self, repository: Repository) -> None:
        """Otherwise an overview would show a run twice, or leave one out, or count wrongly."""
        for number in range(4):
            started(repository, run_id=f"r{number}")
        moved(repository, claimed(repository, run_id="r1"), [fault(1)])
        claimed(repository, run_id="r1")
        repository.runs.change("r3", RunState.STOPPING)
        first = repository.pages.runs(limit=3)
        assert [run.id for _, run in first] == ["r3", "r2", "r1"]
        started(repository, run_id="r4")
        assert [run.id for _, run in repository.pages.runs(before=first[-1][0])] == ["r0"]
        assert [run.id for _, run in repository.pages.runs(states=[RunState.STOPPING])] == ["r3"]
        assert repository.pages.runs(job="other") == []
        counters = repository.pages.counters(["r1", "r0", "nonesuch"])
        assert counters == {"r1": repository.views.counters("r1"), "r0": Counters(10, 0, 0, 0, 0, 0, 0)}
        assert (counters["r1"].done, counters["r1"].quarantined) == (3, 1)

    def test_chunks_come_page_by_page_in_list_order(self, repository: Repository) -> None:
        """Otherwise whoever looks for a chunk among thousands would not find it."""
        started(repository, units=12, size=12)
        for _ in range(3):
            claimed(repository)
        first = repository.pages.chunks(RUN, limit=2)
        assert [(one.lo, one.hi, one.units, one.state) for one in first] == [
            (0, 4, 4, ChunkState.CLAIMED), (4, 8, 4, ChunkState.CLAIMED),
        ]  # fmt: skip
        rest = repository.pages.chunks(RUN, after=(first[-1].lo, first[-1].id))
        assert [one.lo for one in rest] == [8]
        assert repository.pages.chunks(RUN, states=[ChunkState.FINISHED]) == []

    def test_units_set_aside_come_page_by_page_without_their_values(self, repository: Repository) -> None:
        """Otherwise a list of customers would show their data to everybody, or 5,000 stacks would be sent for 50 lines."""
        started(repository)
        moved(repository, claimed(repository), [fault(1), fault(2), fault(3, UnitState.IN_DOUBT)])
        listed = repository.pages.exceptions(RUN, limit=2)
        assert [(one.position, one.unit_key, one.reason) for one in listed] == [
            (1, "101", "bad date"), (2, "102", "bad date"),
        ]  # fmt: skip
        assert {(one.detail, one.source_rows) for one in listed} == {("", "")}
        assert [one.position for one in repository.pages.exceptions(RUN, after=2)] == [3]
        assert [one.position for one in repository.pages.exceptions(RUN, state=UnitState.IN_DOUBT)] == [3]
        assert [one.position for one in repository.pages.exceptions(RUN, text="02")] == [2]
        assert repository.pages.exceptions(RUN, text="%") == []
        assert repository.pages.exceptions(RUN, reason="other") == []
        (first, *_) = listed
        assert first in repository.pages.exceptions(RUN, error=first.reason[1:-1].upper(), since=first.at)
        assert repository.pages.exceptions(RUN, error="%") == []
        assert repository.pages.exceptions(RUN, since=max(one.at for one in listed) + 1) == []
        whole = repository.pages.exception(RUN, 1)
        assert whole is not None
        assert whole.detail == "0000-00-00"
        assert repository.pages.exception(RUN, 0) is None
        found = repository.overview.reasons()
        assert [(one.run, one.job, one.state, one.reason, one.units) for one in found] == [
            (RUN, "telco", UnitState.QUARANTINED, "bad date", 2),
            (RUN, "telco", UnitState.IN_DOUBT, "bad date", 1),
        ]
        assert repository.overview.reasons(job="other") == []

    def test_events_come_newest_first_for_one_run_and_for_all(self, repository: Repository) -> None:
        """Otherwise the newest trouble would be on the last page."""
        for number in range(3):
            repository.events.append(Event(f"e{number}", RUN, lasting=True))
        repository.events.append(Event("other", "r2", lasting=True))
        assert [event.name for _, _, event in repository.pages.events("")] == ["other", "e2", "e1", "e0"]
        first = repository.pages.events(RUN, limit=2)
        assert [event.name for _, _, event in first] == ["e2", "e1"]
        assert [event.name for _, _, event in repository.pages.events(RUN, before=first[-1][0])] == ["e0"]

    def test_a_unit_is_found_by_its_key_as_a_person_types_it(self, repository: Repository) -> None:
        """Otherwise a search for customer 4711 would find nobody, or somebody else."""
        started(repository, units=20)
        assert [repository.pages.position(RUN, key) for key in ("100", "119", "0100", "-1", "x", "", "9" * 20)] == [
            0, 19, None, None, None, None, None,
        ]  # fmt: skip
        texts = pa.table({"k": pa.array(["a|b", "ä", "7"], pa.string())})
        repository.runs.create(planned("texts"), iter([Segment(0, texts)]))
        assert [repository.pages.position("texts", key) for key in ("a||b", "ä", "7", "a|b", "a")] == [
            0, 1, 2, None, None,
        ]  # fmt: skip
        pairs = pa.table({"k": pa.array([1, 2], pa.int64()), "l": pa.array(["x", "y|"], pa.string())})
        repository.runs.create(planned("pairs"), iter([Segment(0, pairs)]))
        assert [repository.pages.position("pairs", key) for key in ("2|y||", "1|x", "1|y", "1|||x")] == [
            1,
            0,
            None,
            None,
        ]
        bars = pa.table({"k": pa.array(["a", "a|"]), "l": pa.array(["|b", "c"])})
        repository.runs.create(planned("bars"), iter([Segment(0, bars)]))
        assert [repository.pages.position("bars", key) for key in ("a|||b", "a|||c", "a||||b")] == [0, 1, None]
        decimals = pa.table({"k": pa.array([Decimal("1.50"), Decimal("2.00")], pa.decimal128(10, 2))})
        repository.runs.create(planned("decimals"), iter([Segment(0, decimals)]))
        for _ in range(2):
            assert [repository.pages.position("decimals", key) for key in ("1.50", "1.5", "2.00", "9", "1e2", "NaN")] == [
                0, None, 1, None, None, None,
            ]  # fmt: skip

    def test_a_unit_is_found_in_whichever_run_of_its_job_moved_it(self, repository: Repository) -> None:
        """Otherwise a customer who was moved long ago would be nowhere, or found in the run of another job."""
        numbers = {}
        for name, job, first in (
            ("old", "telco", 100),
            ("other", "shop", 100),
            ("late", "telco", 500),
            ("new", "telco", 90),
        ):
            keys = (
                Segment(at, pa.table({"k": pa.array([first + at, first + at + 1], pa.int64())}))
                for at in range(0, 20, 2)
            )
            repository.runs.create(planned(name, job=job), keys)
            numbers[name] = repository.pages.runs(limit=1)[0][0]
        started(repository, run_id="far")  # 100 to 109
        places = repository.overview.places
        for _ in range(2):  # once with what the segments hold unknown, once known
            assert [(run, at) for _, run, at in places("telco", "100")] == [("far", 0), ("new", 10), ("old", 0)]
            assert places("telco", "519") == [(numbers["late"], "late", 19)]
            assert places("telco", "100", before=numbers["new"]) == [(numbers["old"], "old", 0)]
            assert [run for _, run, _ in places("telco", "100", limit=2)] == ["far", "new"]
            assert places("telco", "89") == places("telco", "x") == places("nonesuch", "100") == []
        started(repository, run_id="newest")
        assert [run for _, run, _ in places("telco", "100")] == ["newest", "far", "new", "old"]
