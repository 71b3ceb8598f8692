"""The contract of figures: what workers have counted, who settled what, which chunks take long; calls and versions over runs."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from ludb.model.events import Event
from ludb.model.figures import STEP, SYSTEM, once
from ludb.model.run import CallState, Segment
from ludb.ports.repository import Repository
from ludb.testing.repository_calls import make_call
from ludb.testing.repository_world import RUN, ManualClock, claimed, moved, planned, segments, started


class FiguresContract:
    """What a dashboard shows of time and systems is what was noted and claimed."""

    def test_the_newest_word_of_each_worker_is_kept(self, repository: Repository) -> None:
        """Otherwise sums would count twice, or forget who has left."""
        started(repository)
        first, second = {(SYSTEM, "crm"): once(0.5, rows=3)}, {(STEP, "steps/1/a.b.sql"): once(0.001, sent=7)}
        repository.figures.note("a", RUN, {(SYSTEM, "crm"): once(9.0)})
        repository.figures.note("a", RUN, first)
        repository.figures.note("b", RUN, second)
        assert repository.figures.of([RUN, "other"]) == {RUN: {"a": first, "b": second}}

    def test_chunks_tell_who_moved_them_and_how_long_it_took(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise nobody would see which worker idles, and which customers hold the run up."""
        started(repository, 12, size=12)
        for owner, seconds in (("a", 1.0), ("b", 30.0)):
            chunk = claimed(repository, owner=owner)
            clock.now += seconds
            moved(repository, chunk)
        figures = repository.figures
        assert [(one.owner, one.chunks, one.units, one.seconds) for one in figures.load(RUN)] == [
            ("a", 1, 4, 1.0),
            ("b", 1, 4, 30.0),
        ]
        assert [(one.first, one.last, one.seconds) for one in figures.slowest(RUN, 1)] == [("104", "107", 30.0)]
        assert figures.typical(RUN) == 15.5
        held = claimed(repository)
        clock.now += 5
        assert [(one.id, one.seconds) for one in figures.held(RUN)] == [(held.id, 5.0)]
        repository.chunks.release(held, "crm is away", 9.0)
        assert (figures.held(RUN), [one.error for one in figures.waiting(RUN)]) == ([], ["crm is away"])

    def test_a_unit_is_found_again_when_the_bounds_of_segments_are_known(self, repository: Repository) -> None:
        """Otherwise a look at a customer would read the whole list, or miss one that stands in it."""
        texts = ["b", "z|z", "a", "k"]
        repository.runs.create(
            replace(planned(), notes={}),
            (Segment(at, pa.table({"id": pa.array(texts[at : at + 2])})) for at in range(0, len(texts), 2)),
        )
        started(repository, run_id="numbers")
        pages = repository.pages
        for _ in range(2):
            assert [pages.position(RUN, key) for key in ("b", "z||z", "a", "k", "c", "zz")] == [0, 1, 2, 3, None, None]
            assert [pages.position("numbers", key) for key in ("100", "109", "110", "x", "0100")] == [
                0,
                9,
                None,
                None,
                None,
            ]

    def test_calls_events_and_versions_are_found_over_runs(self, repository: Repository) -> None:
        """Otherwise an engineer would have to open every run to find what an API did."""
        started(repository)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(0), make_call(1)])
        repository.calls.mark(chunk, [make_call(0)], CallState.SENT)
        overview = repository.overview
        assert [(one.run, one.call.unit_key) for one in overview.calls(system="crm")] == [(RUN, "101"), (RUN, "100")]
        assert [one.call.unit_key for one in overview.calls(states=[CallState.SENT], run=RUN, job="telco")] == ["100"]
        assert overview.calls(system="cr") == overview.calls(job="other") == []
        (one, *_) = overview.calls()
        assert overview.calls(call=one.call.id) == [one]
        assert overview.calls(call="another") == overview.calls(call=one.call.id, run="another") == []
        repository.runs.create(replace(planned("run-2"), version="v2"), segments(3))
        assert [(one.version, one.runs, one.units, one.last_run) for one in overview.versions("telco")] == [
            ("v2", 1, 3, "run-2"),
            ("v1", 1, 10, RUN),
        ]
        repository.events.append(Event("circuit.open", RUN, lasting=True, data={"system": "crm"}))
        assert [event.name for _, _, event in overview.named(RUN, ["circuit.open"])] == ["circuit.open"]
