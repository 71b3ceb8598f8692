"""By which rules alerts are raised, and who is told of them how."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter

from ludb.model.access import Role
from ludb.model.alerts import Alert, AlertRule, Severity, Tuned
from ludb.model.setup import CHANNEL, RULE, Entry
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.alerts import ChannelAsked, ChannelShape, RuleChange, RuleShape, TriedShape
from ludb.server.world import AnyWorld, World
from ludb.service.alerts_channels import Untold, channel_of, channels_of, send
from ludb.service.alerts_rules import RULES, Thresholds, check_limits, limits_of, tuned

router = APIRouter(prefix="/api/v1", tags=["alerts"], route_class=ReadRoute)


@router.get("/alert-rules", **rule(Role.VIEWER))
def alert_rules(world: AnyWorld) -> list[RuleShape]:
    """All rules, as they are set."""
    rules, limits = tuned(world.repository)
    return [_rule(one, limits) for one in rules.values()]


@router.patch("/alert-rules/{name}", **rule(Role.EDITOR))
def change_alert_rule(name: str, asked: RuleChange, world: AnyWorld, caller: AnyCaller) -> RuleShape:
    """Change a rule's severity, thresholds and channels, or switch it on or off; in force at the next look."""
    known = _known(name)
    check_limits(known, asked.limits or {})
    channels = {one.id for one in channels_of(world.repository, world.site.environment)}
    unknown = sorted(set(asked.channels or ()) - channels)
    if unknown:
        raise Problem(422, "invalid", f"there is no channel {unknown[0]}", where="body.channels")
    entry = world.repository.setup.get(RULE, name)
    before: dict[str, Any] = dict(entry.data) if entry is not None else {}
    given = asked.model_dump(mode="json", exclude_none=True, exclude={"all_channels"})
    after = {**before, **given, "limits": {**before.get("limits", {}), **given.get("limits", {})}}
    if asked.all_channels:
        after["channels"] = None
    world.repository.setup.put(RULE, name, after, caller.name)
    world.note(caller.name, caller.address, "alert-rule.change", name, before=before, after=after)
    return _now(world, name)


@router.delete("/alert-rules/{name}", **rule(Role.EDITOR))
def reset_alert_rule(name: str, world: AnyWorld, caller: AnyCaller) -> RuleShape:
    """Let a rule be as it comes."""
    _known(name)
    taken = world.repository.setup.take(RULE, name)
    if taken is not None:
        world.note(caller.name, caller.address, "alert-rule.reset", name, before=taken.data)
    return _now(world, name)


@router.get("/alert-channels", **rule(Role.EDITOR))
def alert_channels(world: AnyWorld) -> list[ChannelShape]:
    """All channels that people have set up."""
    return [_channel(one) for one in world.repository.setup.all(CHANNEL)]


@router.post("/alert-channels", status_code=201, **rule(Role.EDITOR))
def add_alert_channel(asked: ChannelAsked, world: AnyWorld, caller: AnyCaller) -> ChannelShape:
    """Set up a channel. Its secrets are variables of the server, whose names begin with `LUDB_ALERT_`."""
    return _keep(world, caller, uuid.uuid4().hex[:12], asked, None)


@router.put("/alert-channels/{channel}", **rule(Role.EDITOR))
def replace_alert_channel(channel: str, asked: ChannelAsked, world: AnyWorld, caller: AnyCaller) -> ChannelShape:
    """Set a channel up anew."""
    return _keep(world, caller, channel, asked, _known_channel(world, channel))


@router.delete("/alert-channels/{channel}", status_code=204, **rule(Role.EDITOR))
def remove_alert_channel(channel: str, world: AnyWorld, caller: AnyCaller) -> None:
    """Remove a channel; rules that name it tell their others."""
    _known_channel(world, channel)
    taken = world.repository.setup.take(CHANNEL, channel)
    if taken is not None:
        world.note(caller.name, caller.address, "alert-channel.remove", channel, before=taken.data)


@router.post("/alert-channels/{channel}/try", **rule(Role.EDITOR))
def try_alert_channel(channel: str, world: AnyWorld, caller: AnyCaller) -> TriedShape:
    """Tell people by this channel that it works. Waits for what comes of it, at most 30 seconds."""
    entry = _known_channel(world, channel)
    text = f"{caller.name} tries whether this channel works"
    world.note(caller.name, caller.address, "alert-channel.try", channel)
    try:
        send(channel_of(entry), Alert(0, "-", "-", "try", Severity.WARNING, text, world.now()), world.site.environment)
    except Untold as error:
        return TriedShape(told=False, reason=str(error))
    return TriedShape(told=True)


def _keep(
    world: World, caller: AnyCaller, number: str, asked: ChannelAsked, before: Entry | None
) -> ChannelShape:  # fmt: skip
    chosen = asked.webhook or asked.smtp
    if chosen is None or (asked.webhook and asked.smtp):
        raise Problem(422, "invalid", "say exactly one of webhook and smtp", where="body")
    data = {
        "name": asked.name, "kind": "webhook" if asked.webhook else "smtp", "settings": chosen.model_dump(mode="json"),
        "least": str(asked.least), "enabled": asked.enabled,
    }  # fmt: skip
    channel_of(Entry(CHANNEL, number, data))
    made = world.repository.setup.put(CHANNEL, number, data, caller.name)
    what = "alert-channel.add" if before is None else "alert-channel.change"
    told = {"name": asked.name, "kind": data["kind"], "enabled": asked.enabled}
    world.note(caller.name, caller.address, what, number, after=told)
    return _channel(made)


def _known(name: str) -> AlertRule:
    if name not in RULES:
        raise Problem(404, "not-found", "there is no such rule", remedy="See GET /api/v1/alert-rules")
    return RULES[name]


def _known_channel(world: World, channel: str) -> Entry:
    found = world.repository.setup.get(CHANNEL, channel)
    if found is None:
        raise Problem(404, "not-found", "there is no such channel", remedy="See GET /api/v1/alert-channels")
    return found


def _now(world: World, name: str) -> RuleShape:
    rules, limits = tuned(world.repository)
    return _rule(rules[name], limits)


def _rule(one: Tuned, limits: Thresholds) -> RuleShape:
    return RuleShape(
        name=one.rule.name, says=one.rule.says, severity=one.severity, enabled=one.enabled,
        limits=limits_of(one.rule, limits), standard=limits_of(one.rule, Thresholds()),
        channels=None if one.channels is None else list(one.channels), changed_by=one.changed_by,
        changed_at=one.changed_at,
    )  # fmt: skip


def _channel(entry: Entry) -> ChannelShape:
    return ChannelShape(id=entry.id, changed_by=entry.by, changed_at=entry.at, **dict(entry.data))
