"""Alerts: what needs a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from ludb.model.access import Role
from ludb.model.alerts import Alert, Severity
from ludb.model.setup import NOTE
from ludb.server.pages import Cursor, Limit, Page, number, page_of
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.people import Asked
from ludb.server.world import AnyWorld, World

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
    note: str = Field(description="What whoever takes care wrote", examples=["the DBA adds disk space"])


class CareAsked(Asked):
    """That one takes care, and what others should know of it."""

    note: str = Field("", max_length=1000, examples=["the DBA adds disk space"])


@router.get("/alerts", **rule(Role.VIEWER))
def alerts(
    world: AnyWorld, cursor: Cursor = None, limit: Limit = 50,
    standing: Annotated[bool, Query(description="Only those that are not over")] = False,
) -> Page[AlertShape]:  # fmt: skip
    """Alerts of all runs, the newest first."""
    found = world.repository.alerts.page(before=number(cursor), standing=standing, limit=limit + 1)
    notes = _notes(world) if any(one.acknowledged_at is not None for one in found) else {}
    return page_of(found, limit, lambda one: _shape(one, notes), lambda one: one.number)


@router.post("/alerts/{alert}/acknowledge", **rule(Role.OPERATOR))
def acknowledge(
    alert: Annotated[int, Path(ge=0, lt=2**63)], world: AnyWorld, caller: AnyCaller, asked: CareAsked | None = None
) -> AlertShape:
    """Say that one takes care of an alert; whoever said so first stays, and may write another note later."""
    note = asked.note.strip() if asked else ""
    found = world.repository.alerts.acknowledge(alert, caller.name)
    if found is None:
        raise Problem(404, "not-found", "there is no such alert", remedy="See GET /api/v1/alerts")
    if note and found.acknowledged_by != caller.name:
        raise Problem(
            409,
            "conflict",
            f"{found.acknowledged_by} takes care of this alert already",
            remedy="Tell them; a note is theirs",
        )
    if note:
        world.repository.setup.put(NOTE, str(alert), {"note": note}, caller.name)
    world.note(
        caller.name,
        caller.address,
        "alert.acknowledge",
        f"{found.run} {found.rule}",
        after={"note": note} if note else {},
    )
    return _shape(found, _notes(world))


def _notes(world: World) -> dict[str, str]:
    return {one.id: str(one.data["note"]) for one in world.repository.setup.all(NOTE)}


def _shape(alert: Alert, notes: dict[str, str]) -> AlertShape:
    return AlertShape(**asdict(alert), note=notes.get(str(alert.number), ""))
