"""One unit: where it stands, what happened to it, its calls; its rows, read by a process of their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from ludb.model.access import Role
from ludb.server.children import ask
from ludb.server.lookup import known_run, known_unit
from ludb.server.pages import Cursor, Limit, Page, number, page_of
from ludb.server.problems import Problem, refused_as
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, Caller, rule
from ludb.server.shapes.runs import DifferenceShape, HistoryShape, UnitRowsShape, UnitShape
from ludb.server.shapes.units import ColumnShape, QueryAsked, QueryShape
from ludb.server.shaping import call_shape, exception_shape, history_data, masked_rows
from ludb.server.turns import Turns
from ludb.server.world import AnyWorld, World

router = APIRouter(prefix="/api/v1", tags=["units"], route_class=ReadRoute)
_QUERIES, _ROWS = Turns(2, wait=15.0), Turns(4, wait=30.0)
Key = Annotated[str, Path(description="The unit key; parts of a composite key are joined by |", examples=["4711"])]


@router.get("/runs/{run}/units/{key:path}/rows", response_model=UnitRowsShape, **rule(Role.VIEWER))
async def unit_rows(
    run: str, key: Key, world: AnyWorld, caller: AnyCaller,
    found: Annotated[bool, Query(description="Also read the targets, and tell where a cell is not as written")] = False,
) -> Response:  # fmt: skip
    """The unit's rows: of the source, and as they were written. May take seconds: the job's code is loaded for it."""
    return await _ROWS.take(lambda: _rows(run, key, world, caller, found=found), "the rows of their units read")


@router.get("/runs/{run}/units/{key:path}", **rule(Role.VIEWER))
def unit(run: str, key: Key, world: AnyWorld, caller: AnyCaller) -> UnitShape:
    """Where a unit of a run stands."""
    found = known_run(world, run)
    return _unit(world, found.id, key, known_unit(world, found.id, key), caller)


@router.get("/units/{job}/{key:path}", **rule(Role.VIEWER))
def unit_of_job(
    job: str, key: Key, world: AnyWorld, caller: AnyCaller, cursor: Cursor = None, limit: Limit = 10
) -> Page[UnitShape]:
    """A unit in all runs of a job whose lists hold it, the newest first, however many others came after them."""
    places = world.repository.overview.places(job, key, before=number(cursor), limit=limit + 1)
    return page_of(places, limit, lambda one: _unit(world, one[1], key, one[2], caller), lambda one: one[0])


@router.post("/units/{job}/{key:path}/sql", response_model=QueryShape, **rule(Role.VIEWER))
async def unit_sql(job: str, key: Key, asked: QueryAsked, world: AnyWorld, caller: AnyCaller) -> Response:
    """Answer a query on a unit's rows, in a locked database of its own process: nothing is changed by it. Needs the right to
    see row values, since a query may tell of a value without showing it. May take seconds.
    """
    run = await run_in_threadpool(_newest, world, job, key, asked.run)
    if not caller.personal:
        raise Problem(
            403, "forbidden", f"{caller.name} may not see row values, and a query tells them however it is masked",
            remedy="Ask an admin for the right `personal`",
        )  # fmt: skip
    return await _QUERIES.take(lambda: _answered(run, key, asked.sql, world, caller), "their queries answered")


def _rows(run: str, key: str, world: World, caller: Caller, *, found: bool) -> Response:
    known = known_run(world, run)
    known_unit(world, known.id, key)
    with refused_as(409):
        told = ask(world, caller.name, ["unit", f"--run={known.id}", *(["--found"] if found else []), "--", key])
    if caller.personal:
        world.note(caller.name, caller.address, "unit.rows", f"{known.id} {key}")
    hidden = {} if caller.personal else {"meant": None, "found": None}
    shape = UnitRowsShape(
        run=known.id, key=key, found=masked_rows(told["found"], caller) if found else None,
        differences=[DifferenceShape(**{**one, **hidden}) for one in told.get("differences", ())],
        source=masked_rows(told["source"], caller), outputs=masked_rows(told["outputs"], caller),
        note=str(told["note"]) if caller.personal else "", masked=not caller.personal,
    )  # fmt: skip
    return _written(shape)


def _answered(run: str, key: str, sql: str, world: World, caller: Caller) -> Response:
    told = ask(world, caller.name, ["unit", key, "--run", run, "--sql", "-"], sql)
    world.note(caller.name, caller.address, "unit.sql", f"{run} {key}")
    shape = QueryShape(
        run=run, key=key, columns=[ColumnShape(**one) for one in told["columns"]], rows=told["rows"], more=told["more"],
        note=str(told["note"]),
    )  # fmt: skip
    return _written(shape)


def _written(shape: BaseModel) -> Response:
    """An answer that is written here: in the thread that others do not wait for."""
    return Response(shape.model_dump_json(), media_type="application/json")


def _newest(world: World, job: str, key: str, run: str | None) -> str:
    """The run that is asked for, or the newest one of the job whose list holds the unit; 404 if there is none."""
    if run is not None:
        found = known_run(world, run)
        known_unit(world, found.id, key)
        if found.job != job:
            raise Problem(404, "not-found", f"run {run} is of another job", where="body.run")
        return found.id
    for _, newest, _ in world.repository.overview.places(job, key, limit=1):
        return newest
    raise Problem(404, "not-found", f"no run of job {job} has such a unit", where="path.key")


def _unit(world: World, run_id: str, key: str, position: int, caller: Caller) -> UnitShape:
    run = known_run(world, run_id)
    state, history, calls = world.repository.views.unit(run.id, position)
    exception = world.repository.pages.exception(run.id, position)
    if caller.personal and exception is not None:
        world.note(caller.name, caller.address, "unit.read", f"{run.id} {key}")
    return UnitShape(
        run=run.id, job=run.job, key=key, position=position, state=state,
        history=[HistoryShape(at=at, what=what, data=history_data(data)) for at, what, data in history],
        exception=None if exception is None else exception_shape(run.id, exception, caller),
        calls=[call_shape(call, caller) for call in calls],
    )  # fmt: skip
