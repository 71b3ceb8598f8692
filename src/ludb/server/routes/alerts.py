"""Alerts: what needs a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from ludb.model.access import Role
from ludb.model.alerts import Alert, Severity
from ludb.server.pages import Cursor, Limit, Page, number, page_of
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.world import AnyWorld

router = APIRouter(prefix="/api/v1", tags=["alerts"], route_class=ReadRoute)


class AlertShape(BaseModel):
    """A condition of a run that was raised, once however long it lasts. `ended_at` is null while it is so."""

    number: int
    run: str
    job: str
    rule: str = Field(examples=["stalled"])
    severity: Severity
    text: str = Field(examples=["no unit was settled for 12 minutes: see what waits"])
    raised_at: float
    ended_at: float | None
    acknowledged_by: str
    acknowledged_at: float | None


@router.get("/alerts", **rule(Role.VIEWER))
def alerts(
    world: AnyWorld, cursor: Cursor = None, limit: Limit = 50,
    standing: Annotated[bool, Query(description="Only those that are not over")] = False,
) -> Page[AlertShape]:  # fmt: skip
    """Alerts of all runs, the newest first."""
    found = world.repository.alerts.page(before=number(cursor), standing=standing, limit=limit + 1)
    return page_of(found, limit, _shape, lambda one: one.number)


@router.post("/alerts/{alert}/acknowledge", **rule(Role.OPERATOR))
def acknowledge(alert: Annotated[int, Path(ge=0, lt=2**63)], world: AnyWorld, caller: AnyCaller) -> AlertShape:
    """Say that one takes care of an alert; whoever said so first stays."""
    found = world.repository.alerts.acknowledge(alert, caller.name)
    if found is None:
        raise Problem(404, "not-found", "there is no such alert", remedy="See GET /api/v1/alerts")
    world.note(caller.name, caller.address, "alert.acknowledge", f"{found.run} {found.rule}")
    return _shape(found)


def _shape(alert: Alert) -> AlertShape:
    return AlertShape(**asdict(alert))
