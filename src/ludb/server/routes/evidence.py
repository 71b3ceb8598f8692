"""What a run has done, whole: the summary that the command line shows, and the report for those who were not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ludb.model.access import Role
from ludb.server.lookup import known_run
from ludb.server.problems import Problem
from ludb.server.rules import AnyCaller, rule
from ludb.server.world import AnyWorld
from ludb.service.report import Check, make_report
from ludb.service.report_page import render_report
from ludb.service.summary import Summary, summarize

router = APIRouter(prefix="/api/v1", tags=["runs"])


class ReportShape(BaseModel):
    """A report: `html` is the whole page, which needs no other file."""

    run: str
    holds: bool = Field(description="All checks hold")
    checks: list[Check]
    html: str


@router.get("/runs/{run}/summary", **rule(Role.VIEWER))
def summary(run: str, world: AnyWorld, caller: AnyCaller) -> Summary:
    """All that `ludb status` shows: balances, units set aside by reason, who works, commands, hooks. Rows that planning named
    as orphans are told to those alone who may see row values.
    """
    told = summarize(world.site, known_run(world, run).id, world.now())
    if caller.personal:
        return told
    notes = {name: value for name, value in told.run.notes.items() if name != "orphans"}
    return replace(told, run=replace(told.run, notes=notes))


@router.get("/runs/{run}/report", **rule(Role.VIEWER))
def report(
    run: str, world: AnyWorld, caller: AnyCaller,
    open_values: Annotated[bool, Query(description="Show row values of units set aside; needs `personal`")] = False,
) -> ReportShape:  # fmt: skip
    """The report of a run as one HTML page, and whether everything in it adds up."""
    found = known_run(world, run)
    if open_values and not caller.personal:
        raise Problem(
            403, "forbidden", f"{caller.name} may not see row values", where="query.open_values",
            remedy="Leave open_values out, or ask an admin for the right `personal`",
        )  # fmt: skip
    made = make_report(world.site, found.id, open_values=open_values, now=world.now())
    if open_values:
        world.note(caller.name, caller.address, "run.report", found.id)
    return ReportShape(run=found.id, holds=made.holds, checks=list(made.checks), html=render_report(made).decode())
