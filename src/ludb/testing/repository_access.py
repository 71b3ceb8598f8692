"""The contract of what a server keeps: users, sessions, tokens, audit, tasks, answers, samples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludb.errors import ConfigError
from ludb.model.access import AuditEntry, Role, Session, Token, User
from ludb.model.alerts import Condition, Severity
from ludb.model.run import CallState
from ludb.model.schedules import Kind, Schedule
from ludb.model.tasks import Answered, Sample, Task, TaskState
from ludb.ports.repository import Repository
from ludb.testing.repository_calls import make_call
from ludb.testing.repository_world import RUN, ManualClock, claimed, owner, started

ADMIN = User("ann", Role.ADMIN, "$hash", must_change=True)
TOKEN = Token("t1", "airflow", "bo", Role.OPERATOR, "e" * 64, expires_at=2_000_000.0, created_by="ann")


class AccessContract:
    """Nobody gets in who should not, nobody is locked out, and what was done stays written."""

    def test_a_user_is_kept_by_its_very_name(self, repository: Repository) -> None:
        """Otherwise Ann could log in as ann, or a name taken twice would give two people one account."""
        users = repository.access.users
        ann = users.add(ADMIN)
        assert ann.created_at == 1_000_000.0
        assert users.get("ann") == ann
        assert users.get("Ann") is None
        with pytest.raises(ConfigError, match="ann"):
            users.add(ADMIN)
        users.add(User("bo", Role.VIEWER, "$x", personal=True, active=False))
        assert [(one.name, one.role, one.personal, one.active) for one in users.all()] == [
            ("ann", Role.ADMIN, False, True),
            ("bo", Role.VIEWER, True, False),
        ]

    def test_the_last_active_admin_stays(self, repository: Repository) -> None:
        """Otherwise nobody could ever manage users again."""
        users = repository.access.users
        users.add(User("cy", Role.VIEWER, "$x"))
        users.change(User("cy", Role.EDITOR, "$x"))
        users.remove("cy")
        users.add(ADMIN)
        users.add(User("bo", Role.ADMIN, "$x", active=False))
        for harmful in (replace(ADMIN, role=Role.EDITOR), replace(ADMIN, active=False)):
            with pytest.raises(ConfigError, match="last active admin"):
                users.change(harmful)
        with pytest.raises(ConfigError, match="last active admin"):
            users.remove("ann")
        users.change(User("bo", Role.ADMIN, "$x"))
        users.remove("ann")
        assert [one.name for one in users.all()] == ["bo"]
        with pytest.raises(ConfigError, match="no user ann"):
            users.change(ADMIN)

    def test_a_user_who_is_removed_leaves_no_way_in(self, repository: Repository) -> None:
        """Otherwise somebody who has left the company would go on with an old session or token."""
        access = repository.access
        access.users.add(ADMIN)
        access.users.add(User("bo", Role.OPERATOR, "$x"))
        access.sessions.open(Session("a" * 64, "bo", 1.0, 1.0, 9.0))
        access.tokens.add(TOKEN)
        access.users.remove("bo")
        assert access.sessions.get("a" * 64) is None
        assert access.tokens.find("e" * 64) is None

    def test_sessions_end_one_by_one_and_all_together(self, repository: Repository) -> None:
        """Otherwise a changed password would leave the thief logged in."""
        sessions = repository.access.sessions
        bo = repository.access.users.add(User("bo", Role.OPERATOR, "$x"))
        for letter in "abc":
            sessions.open(Session(letter * 64, "bo", 100.0, 100.0, 200.0, "10.0.0.1"))
        sessions.touch("a" * 64, 150.0)
        assert sessions.get("a" * 64) == (Session("a" * 64, "bo", 100.0, 150.0, 200.0, "10.0.0.1"), bo)
        sessions.close("b" * 64)
        sessions.close("b" * 64)
        assert sessions.close_of("bo", but="a" * 64) == 1
        assert [sessions.get(letter * 64) is None for letter in "abc"] == [False, True, True]
        sessions.open(Session("d" * 64, "ann", 300.0, 300.0, 400.0))
        assert sessions.get("a" * 64) is None, "expired sessions are swept"

    def test_a_token_is_found_by_its_hash_and_revoked_for_good(
        self, repository: Repository, clock: ManualClock
    ) -> None:
        """Otherwise a leaked token could not be stopped, or would come to life again."""
        tokens = repository.access.tokens
        made = tokens.add(TOKEN)
        assert (made.created_at, tokens.find("e" * 64)) == (clock.now, (made, None)), "its user is gone"
        owner = repository.access.users.add(User(TOKEN.user, Role.OPERATOR, "$x"))
        assert tokens.find("e" * 64) == (made, owner)
        tokens.used("t1", 5.0)
        assert tokens.revoke("t1") == replace(made, used_at=5.0, revoked_at=clock.now)
        clock.now += 10
        again = tokens.revoke("t1")
        assert again is not None
        assert again.revoked_at == clock.now - 10
        assert tokens.revoke("nonesuch") is None
        assert [one.id for one in tokens.all()] == ["t1"]

    def test_the_audit_only_grows(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise whoever did harm could hide it."""
        audit = repository.access.audit
        numbers = []
        for actor, action in (("ann", "user.add"), ("bo", "run.stop"), ("ann", "token.add")):
            entry = AuditEntry(actor, "10.0.0.1", action, "x", "done", {"role": "viewer"}, {"role": "admin"})
            numbers.append(audit.append(entry))
            clock.now += 1
        newest, *_ = found = audit.page()
        assert [one.number for one in found] == numbers[::-1]
        assert (newest.at, newest.after) == (1_000_002.0, {"role": "admin"})
        assert [one.action for one in audit.page(before=numbers[2], limit=1)] == ["run.stop"]
        assert [one.action for one in audit.page(actor="ann")] == ["token.add", "user.add"]
        assert [one.actor for one in audit.page(action="run.stop")] == ["bo"]
        assert not [name for name in dir(audit) if name.startswith(("remove", "delete", "change", "clear"))]

    def test_failed_logins_add_up_until_one_succeeds(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise passwords could be tried without end."""
        throttle = repository.access.throttle
        assert throttle.failures("user ann") == (0, 0.0)
        assert [throttle.failed("user ann"), throttle.failed("user ann"), throttle.failed("user bo")] == [1, 2, 1]
        assert throttle.failures("user ann") == (2, clock.now)
        throttle.cleared("user ann")
        assert throttle.failures("user ann") == (0, 0.0)


class TasksContract:
    """What a server was asked to do is done once, and its answer is kept."""

    def test_a_task_is_taken_once_and_answered_once(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise two servers would start one migration twice."""
        tasks = repository.tasks
        task = tasks.put(Task("k1", "start", "telco", "", {"p": {"region": "north"}}, "ann"))
        assert (task.state, task.put_at) == (TaskState.WAITING, clock.now)
        assert tasks.get("k1") == task
        assert [tasks.begin("k1", "h1", "/l"), tasks.begin("k1", "h2", "/l")] == [True, False]
        tasks.end("k1", TaskState.DONE, {"run": RUN}, RUN)
        tasks.end("k1", TaskState.FAILED, {"error": "late"})
        done = tasks.get("k1")
        assert done is not None
        assert (done.state, done.run, done.outcome, done.host) == (TaskState.DONE, RUN, {"run": RUN}, "h1")
        tasks.put(Task("k2", "purge", "telco", RUN, {}, "ann"))
        assert [one.id for one in tasks.page()] == ["k2", "k1"]
        assert [one.id for one in tasks.page(state=TaskState.WAITING)] == ["k2"]
        assert [one.id for one in tasks.page(run=RUN, before=done.number + 1)] == ["k1"]
        assert tasks.get("nonesuch") is None

    def test_a_command_sent_twice_is_answered_twice_and_done_once(
        self, repository: Repository, clock: ManualClock
    ) -> None:
        """Otherwise a lost answer would make somebody start a migration again."""
        answers = repository.answers
        assert answers.reserve("i1", "s1") is None
        assert answers.reserve("i1", "s1") == Answered("i1", "s1", 0, {})
        answers.keep(Answered("i1", "s1", 202, {"task": "k1"}))
        assert answers.reserve("i1", "s2") == answers.get("i1") == Answered("i1", "s1", 202, {"task": "k1"})
        assert answers.reserve("i2", "s1") is None
        answers.forget("i2")
        assert answers.get("i2") is None
        clock.now += 100_000
        assert answers.reserve("i1", "s1") is None, "answers of more than a day are forgotten"

    def test_samples_stay_few_and_tell_the_whole_run(self, repository: Repository) -> None:
        """Otherwise a run of weeks would fill the repository, or its chart would begin in the middle."""
        samples = repository.samples
        for second in range(1, 11):
            samples.add(RUN, Sample(float(second), 1.0, second * 10, {"cpu": float(second)}), most=8)
        found = samples.of(RUN)
        assert [(one.at, one.span, one.settled) for one in found] == [
            (2.0, 2.0, 20), (4.0, 2.0, 40), (6.0, 2.0, 60), (8.0, 2.0, 80), (9.0, 1.0, 90), (10.0, 1.0, 100),
        ]  # fmt: skip
        assert [one.data["cpu"] for one in found[:2]] == [1.5, 3.5]
        assert [one.at for one in samples.of(RUN, since=8.0)] == [9.0, 10.0]
        assert samples.of("other") == []

    def test_a_pause_stays_a_gap_when_samples_are_merged(self, repository: Repository) -> None:
        """Otherwise a chart would draw work where nobody worked."""
        for at in (1.0, 2.0, 3.0, 500.0, 501.0):
            repository.samples.add(RUN, Sample(at, 1.0, int(at), {}), most=4)
        assert [(one.at, one.span) for one in repository.samples.of(RUN)] == [(2.0, 2.0), (3.0, 1.0), (501.0, 2.0)]

    def test_an_alert_is_raised_once_however_long_it_lasts(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise a night's trouble would be a thousand messages, or a second one would not be told at all."""
        alerts, away = repository.alerts, Condition("away", Severity.WARNING, "crm does not answer")
        first = alerts.raise_(RUN, "telco", away)
        assert first is not None
        assert alerts.raise_(RUN, "telco", away) is None
        assert alerts.raise_("other", "telco", away) is not None
        assert alerts.standing(RUN) == [first]
        taken = alerts.acknowledge(first.number, "ann")
        assert taken == replace(first, acknowledged_by="ann", acknowledged_at=clock.now)
        assert alerts.acknowledge(first.number, "bo") == taken
        alerts.end(RUN, "away")
        alerts.end(RUN, "away")
        assert alerts.standing(RUN) == []
        again = alerts.raise_(RUN, "telco", away)
        assert again is not None
        assert [one.number for one in alerts.page(standing=True)] == [again.number, again.number - 1]
        assert [one.ended_at for one in alerts.page(before=first.number + 1)] == [clock.now]
        assert alerts.acknowledge(999_999, "ann") is None
        for schedule in ("s1", "s2", "s1"):  # of no run, each about something else
            alerts.raise_("", "telco", away, about=schedule)
        alerts.end("s2", "away")
        assert len(alerts.standing("")) == 1

    def test_failed_calls_and_lost_workers_are_counted_from_a_moment_on(
        self, repository: Repository, clock: ManualClock
    ) -> None:
        """Otherwise an API that was well again for hours would still be told to somebody at night."""
        started(repository)
        chunk = claimed(repository)
        calls = [make_call(at) for at in chunk.positions]
        repository.calls.intend(chunk, calls)
        repository.calls.mark(chunk, calls, CallState.SENT)
        repository.calls.mark(chunk, calls[:1], CallState.REJECTED, "400")
        for name in ("w1", "w2"):
            repository.owners.enrol(owner(name))
        repository.owners.leave("w1", "dead")
        before, alerts = clock.now - 1, repository.alerts
        assert (alerts.heard(RUN), alerts.heard("other")) == (clock.now, None)
        assert (alerts.calls(RUN, before), alerts.lost(RUN, before)) == ({"crm": (1, len(calls))}, 1)
        assert (alerts.calls(RUN, clock.now), alerts.lost(RUN, clock.now), alerts.lost("other", before)) == ({}, 0, 0)

    def test_a_slot_of_a_schedule_is_taken_once(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise two servers would start the same wave twice."""
        schedules = repository.schedules
        made = schedules.add(Schedule("s1", "weekend", "telco", Kind.CRON, "0 22 * * 5", "UTC", "ann", {"workers": 2}))
        assert (made.created_at, schedules.get("s1"), schedules.all()) == (clock.now, made, [made])
        assert [schedules.claim("s1", "100"), schedules.claim("s1", "100"), schedules.claim("s1", "200")] == [
            True, False, True,
        ]  # fmt: skip
        changed = replace(made, enabled=False, next_at=5.0, note="why")
        assert schedules.change(changed)
        assert schedules.get("s1") == changed
        assert [schedules.remove("s1"), schedules.remove("s1"), schedules.change(changed)] == [True, False, False]
        assert schedules.get("s1") is None

    def test_what_was_set_up_is_added_once_replaced_and_taken_once(
        self, repository: Repository, clock: ManualClock
    ) -> None:
        """Otherwise one login could be used twice, and a second user could take a known name."""
        setup = repository.setup
        made = setup.add("window", "w1", {"job": "telco"}, "ann")
        assert made is not None
        assert (setup.add("window", "w1", {}, "bo"), setup.get("window", "w1"), made.at) == (None, made, clock.now)
        changed = setup.put("window", "w1", {"job": "shop"}, "bo")
        setup.put("rule", "w1", {}, "bo")
        assert (setup.all("window"), setup.get("window", "w2")) == ([changed], None)
        assert [setup.take("window", "w1"), setup.take("window", "w1"), setup.all("window")] == [changed, None, []]
        assert (setup.forget("rule", clock.now), setup.forget("rule", clock.now + 1)) == (0, 1)
