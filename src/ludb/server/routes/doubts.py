"""A person's word for what nobody else can tell: calls in doubt."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from ludb.model.access import Role
from ludb.model.run import CallState
from ludb.server.children import ask
from ludb.server.lookup import known_run
from ludb.server.problems import refused_as
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.people import Asked
from ludb.server.world import AnyWorld

router = APIRouter(prefix="/api/v1", tags=["commands"], route_class=ReadRoute)
Call = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9:._-]*$", max_length=190, description="The call's id")]
Value = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ResolveAsked(Asked):
    """What was seen at the system: the object is there (`done`), or it is not (`absent`)."""

    word: Literal["done", "absent"] = Field(examples=["absent"])
    reason: str = Field(
        min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$", examples=["looked it up by its marker"]
    )
    returns: dict[Name, Value] = Field(
        default_factory=dict,
        examples=[{"id": "c-4711"}],
        description="For `done`: what the API returned; `id` is its own name",
    )


class ResolvedShape(BaseModel):
    """What came of it. `pending`: the unit is pending again; else other calls of it are in doubt."""

    run: str
    call: str
    state: CallState
    unit: str
    pending: bool


@router.post("/runs/{run}/calls/{call}/resolve", **rule(Role.OPERATOR))
def resolve_call(run: str, call: Call, asked: ResolveAsked, world: AnyWorld, caller: AnyCaller) -> ResolvedShape:
    """Say what became of a call in doubt; kept with who said so and why. May take seconds: the job's code is loaded for it."""
    found = known_run(world, run)
    words = ["resolve", call, asked.word, f"--reason={asked.reason}", f"--run={found.id}"]
    words += [f"--returns={name}={value}" for name, value in asked.returns.items()]
    with refused_as(409):
        told = ask(world, caller.name, words)
    after = {"call": told["call"], "word": asked.word, "state": told["state"], "reason": asked.reason}
    world.note(caller.name, caller.address, "call.resolve", found.id, after=after)
    return ResolvedShape(
        run=found.id, call=told["call"], state=told["state"], unit=told["unit"], pending=told["pending"]
    )
