"""Commands that start and steer, at a server. A run that was started there goes on whatever becomes of this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ludb.cli import options
from ludb.cli.console import answer, err, out
from ludb.cli.remote.looking import latest
from ludb.wording import plural

if TYPE_CHECKING:
    from ludb.cli.remote.choice import Choice
    from ludb.remote.client import Client

INTERRUPTED = 130
Told = dict[str, Any]


def run(
    client: Client, choice: Choice, *, job: Path, param: list[str] | None, where: str | None, units: str | None,
    only_quarantined: str | None, sample: str | None, seed: int, limit: int | None, skip_missing: bool,
    workers: int | None, accept_change: bool, dry_run: bool, detached: bool, json: bool,
) -> None:  # fmt: skip
    """Start a job that the server knows, and follow the run."""
    keys = options.selection(
        where=None, units=units, only_quarantined=None, sample=None, seed=0, limit=None
    ).units  # read here, where the file is
    selection: Told = {
        "where": where, "units": None if keys is None else keys.text, "only_quarantined": only_quarantined,
        "sample": sample, "limit": limit, "seed": seed or None, "skip_missing": skip_missing or None,
    }  # fmt: skip
    asked = {
        "job": str(job), "parameters": options.parameters(param), "workers": workers, "dry_run": dry_run,
        "accept_change": accept_change, "selection": _given(selection) or None,
    }  # fmt: skip
    err.print(f"the server reads {job} and its systems", markup=False, soft_wrap=True)
    task = client.ask("POST", "/runs", _given(asked))
    _carry_on(client, choice, task, detached=detached, json=json)


def resume(
    client: Client, choice: Choice, *, run_id: str | None, job: Path | None, workers: int | None, accept_change: bool,
    detached: bool, json: bool,
) -> None:  # fmt: skip
    """Let a run go on: one that is held and paused at once, any other held at the server, and followed."""
    name = latest(client, run_id, job)
    asked = {"workers": workers, "accept_change": accept_change}
    told = client.ask("POST", f"/runs/{name}/resume", _given(asked))
    if "number" in told:
        _tell(told, "resume", f"{name} goes on", json=json)
    else:
        _carry_on(client, choice, told, detached=detached, json=json)


def retry_units(
    client: Client, choice: Choice, *, run: str | None, unit: list[str] | None, reason: str | None, everything: bool,
    detached: bool, job: Path | None, json: bool,
) -> None:  # fmt: skip
    """Make quarantined units pending again, and follow the run that moves them."""
    from ludb.cli.quarantine import check_which

    check_which(unit, reason, everything=everything)
    name = latest(client, run, job)
    asked = _given({"keys": unit or None, "reason": reason, "all": everything or None})
    _carry_on(client, choice, client.ask("POST", f"/runs/{name}/retry", asked), detached=detached, json=json)


def abandon(client: Client, choice: Choice, *, run_id: str | None, job: Path | None, json: bool) -> None:
    """Give up a stopped or failed run."""
    from ludb.remote.follow import task_outcome

    del choice
    name = latest(client, run_id, job)
    told = task_outcome(client, client.ask("POST", f"/runs/{name}/abandon"))["outcome"]
    if json:
        answer(told)
        return
    counters = client.get(f"/runs/{name}")["counters"]
    stay = plural(counters["done"], "unit stays", "units stay")
    out.print(f"{name} is abandoned: {stay} moved, {counters['pending']:,} not moved")


def purge(
    client: Client, choice: Choice, *, job: Path | None, older_than: str, what: str, with_exceptions: bool,
    dry_run: bool, yes: bool, json: bool,
) -> None:  # fmt: skip
    """Remove what old runs have left behind at the server; shown and asked before."""
    from ludb.cli.retention import EVERYTHING, seconds_of
    from ludb.remote.follow import task_outcome

    del choice
    seconds_of(older_than)
    wanted = None if what == EVERYTHING else [one.strip() for one in what.split(",") if one.strip()]
    asked = {
        "job": None if job is None else str(job), "older_than": older_than.strip(), "what": wanted,
        "with_exceptions": with_exceptions,
    }  # fmt: skip
    told = task_outcome(client, client.ask("POST", "/purge", _given(asked) | {"dry_run": True}))["outcome"]
    if not json:
        _show_purge(told)
    if (told["found"] or told["staged"]) and not dry_run:
        options.confirm(yes, "Remove this for good?", what="anything is removed")
        told = task_outcome(client, client.ask("POST", "/purge", _given(asked) | {"dry_run": False}))["outcome"]
        if not json:
            out.print(f"purged {plural(len(told['removed']), 'run')}", markup=False)
    if json:
        answer(told)


def pause(client: Client, choice: Choice, *, run_id: str | None, job: Path | None, json: bool) -> None:
    """Pause a run."""
    del choice
    name = latest(client, run_id, job)
    _tell(client.ask("POST", f"/runs/{name}/pause"), "pause", f"{name} pauses after the chunks in flight", json=json)


def stop(client: Client, choice: Choice, *, run_id: str | None, now: bool, job: Path | None, json: bool) -> None:
    """Stop a run."""
    del choice
    name = latest(client, run_id, job)
    what = f"asked {name} to stop {'now' if now else 'after the chunks in flight'}"
    _tell(client.ask("POST", f"/runs/{name}/stop", {"now": now}), "stop", what, json=json, waited=not now)


def set_settings(client: Client, choice: Choice, *, words: list[str], job: Path | None, json: bool) -> None:
    """Change a run while it goes on."""
    from ludb.cli.steering import told_apart
    from ludb.service.steering import told as told_arguments

    del choice
    run_id, given = told_apart(words)
    name = latest(client, run_id, job)
    told = client.ask("PATCH", f"/runs/{name}/settings", {"settings": given})
    kept = "" if told["held"] else ", kept for when it goes on"
    _tell(told, "set", f"{name}: {told_arguments(given)}{kept}", json=json)


def declare_dead(client: Client, choice: Choice, *, run_id: str, owner: str, job: Path | None, json: bool) -> None:
    """Say that a worker is dead because its host is lost."""
    del choice
    name = latest(client, run_id, job)
    found = [one for one in client.get(f"/runs/{name}/workers") if one["id"] == owner]
    client.ask("POST", f"/runs/{name}/declare-dead", {"owner": owner})
    if json:
        answer({"run": name, "owner": (found or [{"id": owner}])[0]})
        return
    whose = f"{found[0]['role']} {owner} on {found[0]['host']}" if found else owner
    out.print(f"{whose} counts as dead; its chunks are given to others", soft_wrap=True, markup=False)


def resolve(
    client: Client, choice: Choice, *, call: str, word: str, reason: str, returns: list[str] | None, run: str | None,
    job: Path | None, json: bool,
) -> None:  # fmt: skip
    """Say what became of a call in doubt."""
    from ludb.cli.doubts import tell_resolved, word_of
    from ludb.service.doubts import check_reason

    check_reason(reason)
    asked = {"word": word_of(word), "reason": reason, "returns": options.parameters(returns, "--returns")}
    name = latest(client, run, job)
    told = client.say(f"/runs/{name}/calls/{quote(call, safe='')}/resolve", asked)
    tell_resolved(told, choice.program, "", json=json)


def _tell(told: Told, name: str, what: str, *, json: bool, waited: bool = True) -> None:
    from ludb.cli.steering import tell

    asked = {"run": told["run"], "asked": name, "command": told["number"], "held": told["held"]}
    tell(asked | {"outcome": told["outcome"]}, what, json=json, waited=waited)


def _carry_on(client: Client, choice: Choice, task: Told, *, detached: bool, json: bool) -> None:
    """Hear what came of a start; then follow the run, unless it is to be left alone. Ends the process with the exit code."""
    from ludb.remote.follow import task_outcome

    try:
        done = task_outcome(client, task)
    except KeyboardInterrupt:
        err.print("the start goes on at the server: see `ludb runs`", markup=False, soft_wrap=True)
        sys.exit(INTERRUPTED)
    told = done["outcome"]
    if "counters" in told:  # a dry run: its summary is all that is left of it
        sys.exit(_ended(choice, told, json=json))
    if detached:
        answer(told) if json else out.print(
            f"run {told['run']} is held by process {told['pid']} of the server; logs are in {told['log']} there",
            soft_wrap=True, markup=False,
        )  # fmt: skip
        sys.exit(0)
    sys.exit(_follow(client, choice, str(told["run"]), json=json))


def _follow(client: Client, choice: Choice, run_id: str, *, json: bool) -> int:
    """Show the run until it has ended; Ctrl-C leaves it to the server."""
    from ludb.cli.progress import Progress
    from ludb.cli.remote.shapes import RemoteWatch, summary_of
    from ludb.remote.follow import Follower

    run = summary_of(client.get(f"/runs/{run_id}/summary")).run
    watch = RemoteWatch(client, run_id, client.get(f"/runs/{run_id}/progress"))
    progress = Progress(err, watch.look, run)

    def seen(told: Told) -> None:
        watch.progress = told
        progress.tick()

    try:
        progress.begin(f"run [bold]{run_id}[/] ({plural(run.units, 'unit')}) at {client.address.shown}")
        Follower(client, run_id, seen, away=progress.notice).until_over()
    except KeyboardInterrupt:
        progress.close()
        again = f"stop it with: {choice.program} stop {run_id}; see it with: {choice.program} status {run_id}"
        err.print(f"run {run_id} goes on at the server; {again}", markup=False, soft_wrap=True)
        return INTERRUPTED
    finally:
        progress.close()
    return _ended(choice, client.get(f"/runs/{run_id}/summary"), json=json)


def _ended(choice: Choice, told: Told, *, json: bool) -> int:
    """Show what a run did, and return the exit code."""
    from ludb.cli.remote.shapes import hints_at, summary_of
    from ludb.cli.report import render_summary
    from ludb.service.dry_run import is_dry
    from ludb.service.summary import exit_code

    summary = summary_of(told)
    hints = None if is_dry(summary.run) else hints_at(choice, summary.run)
    answer(summary) if json else render_summary(out, summary, hints)
    return exit_code(summary.run, summary.counters, summary.hooks)


def _show_purge(told: Told) -> None:
    from ludb.cli.retention import told as told_size

    for one in told["found"]:
        size = told_size(one["bytes_in_repository"] + one["bytes_of_files"])
        out.print(f"{one['run']}: {plural(one['rows'], 'row')}, {size}", markup=False, soft_wrap=True)
    for one in told["staged"]:
        out.print(f"staged of {one['system']}: {told_size(one['bytes'])} of files", markup=False, soft_wrap=True)
    if not (told["found"] or told["staged"]):
        out.print("there is nothing to purge")
    for run_id, why in told["kept"].items():
        out.print(f"kept {run_id}: {why}", soft_wrap=True, markup=False)


def _given(asked: Told) -> Told:
    return {name: value for name, value in asked.items() if value is not None}
