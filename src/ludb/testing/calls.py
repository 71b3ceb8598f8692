"""The contract of call targets: subclass `CallTargetContract`, give it a fixture `subject`; every promise is tested.

The server's own store is the truth about what exists; no test believes the target's word for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol
from uuid import NAMESPACE_URL, uuid5

from ludb.errors import ConfigError, UnitError
from ludb.model.calls import Action, Answer, Call, Result
from ludb.model.job import CallSpec, OutputSpec
from ludb.ports.target import CallTarget

OUTPUT = OutputSpec(
    system="crm",
    table="customer",
    call=CallSpec(
        method="POST",
        path="/customer",
        row=("unit_key",),
        marker="$.characteristic.ludbCall",
        probe="GET /customer?characteristic.name=ludbCall&characteristic.value={call_id}",
        undo="DELETE /customer/{id}",
        update="PATCH /customer/{id}",
        returns={"crm_id": "$.id", "revision": "$.revision"},
    ),
)
"""The output every subject must have; its server answers a write with the document, `id` and `revision` (a number)."""


class Mischief(StrEnum):
    """Something a server does to one request, whatever the request is."""

    BUSY = "429, and nothing happened"
    LATER = "503 with Retry-After 0, and nothing happened"
    MUCH_LATER = "429 with Retry-After 900, and nothing happened"
    FAIL_BEFORE = "500 before the write"
    FAIL_AFTER = "500 after the write"
    DROP_BEFORE = "the connection breaks before the write"
    DROP_AFTER = "the connection breaks after the write"
    HANG = "no answer in time, and the write happens at `deliver()`"
    GARBLE = "the write happens, and the answer cannot be read"
    REFUSE = "400, and nothing happened"
    DENY = "401, and nothing happened"
    CONFLICT = "409, and nothing happened"


class CallServer(Protocol):
    """The server behind a subject, as its controller sees it."""

    def misbehave(self, *mischiefs: Mischief) -> None:
        """Do these to the next requests, one each, in this order; after them the server behaves."""

    def objects(self) -> Sequence[Mapping[str, Any]]:
        """What exists, read from the server's own store, in the order it was written."""

    def plant(self, document: Mapping[str, Any], *, found_by_any_probe: bool = False) -> None:
        """Put an object into the store as somebody else; `found_by_any_probe` makes every look-up return it."""

    def deliver(self, count: int = 1) -> None:
        """Write what the hanging requests ask for, as a delayed network would; waits until `count` of them hang."""

    def honour_keys(self) -> None:
        """From now on, a write whose idempotency key is known answers what it answered then, and writes nothing."""

    def stop(self) -> None:
        """Take no more connections."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A target under test, a second one to the same server that waits only briefly, the server, their common secret.

    Both targets have the output `OUTPUT`; the patient one waits out some seconds of 429. `in_flight` is how many
    requests the target keeps on their way while nobody asks for a result: 0 if it does one after the other.
    """

    target: CallTarget
    impatient: CallTarget
    server: CallServer
    secret: str
    in_flight: int


def make_call(
    target: CallTarget, document: Mapping[str, Any], name: str = "one", *, server_id: str | None = None
) -> Call:
    """A call of `OUTPUT` whose id follows from `name`."""
    call_id = str(uuid5(NAMESPACE_URL, name))
    request = target.request(OUTPUT.name, document, call_id)
    return Call(call_id, "instance", OUTPUT.name, "1", "", 0, 1, request, server_id=server_id)


def act(
    target: CallTarget, kind: Literal["send", "probe", "undo", "update"], call: Call, *, repeat: bool = False
) -> Result:
    """The one result of one action."""
    (result,) = target.perform([Action(kind, call, repeat)])
    return result


def raised(error: type[Exception], work: Callable[[], object]) -> str:
    """The message of the error that `work` must raise."""
    try:
        work()
    except error as caught:
        return str(caught)
    raise AssertionError(f"{error.__name__} was not raised")


def answers(results: Iterable[Result]) -> list[Answer]:
    """The answers of results, in the order of their calls' names."""
    return [result.answer for result in sorted(results, key=lambda result: result.action.call.position)]


DOCUMENT: Mapping[str, Any] = {"name": "Ada", "status": "active", "balance": Decimal("1.10")}


class CallTargetContract:
    """Every promise of `ludb.ports.target.CallTarget`; a subclass gives the fixture `subject`, new each time."""

    def test_a_call_that_is_done_exists_once_and_gives_its_server_id_and_values(self, subject: Subject) -> None:
        """`returns:` values come as text, numbers with their digits."""
        result = act(subject.target, "send", make_call(subject.target, DOCUMENT))
        (stored,) = subject.server.objects()
        assert (result.answer, result.server_id) == (Answer.DONE, str(stored["id"]))
        assert dict(result.returned) == {"crm_id": str(stored["id"]), "revision": str(stored["revision"])}

    def test_case_61_a_decimal_travels_with_all_its_digits(self, subject: Subject) -> None:
        """No float on the way: 1.10 stays 1.10, and thirty digits stay thirty."""
        long = "12345678901234567890.1234567890"
        request = subject.target.request(OUTPUT.name, {"a": Decimal("1.10"), "b": Decimal(long), "c": 2**70}, "id")
        assert f'"a":1.10,"b":{long},"c":{2**70}' in request.body.replace(" ", "")

    def test_case_61_a_number_that_json_cannot_write_is_refused_without_showing_the_row(self, subject: Subject) -> None:
        """NaN is not JSON; the message names the place only."""
        document = {"name": "Ada", "balance": float("nan")}
        message = raised(UnitError, lambda: subject.target.request(OUTPUT.name, document, "id"))
        assert "balance" in message
        assert "Ada" not in message

    def test_the_hash_of_a_payload_knows_nothing_of_the_call_id_or_the_column_order(self, subject: Subject) -> None:
        """Otherwise a retry would look like a changed payload, and undo and repeat what was done."""
        one = subject.target.request(OUTPUT.name, {"a": 1, "b": [1, 2]}, "id-1")
        two = subject.target.request(OUTPUT.name, {"b": [1, 2], "a": 1}, "id-2")
        other = subject.target.request(OUTPUT.name, {"b": [2, 1], "a": 1}, "id-2")
        assert one.sha == two.sha != other.sha
        assert "id-1" in one.body

    def test_a_busy_server_is_waited_for_and_writes_once(self, subject: Subject) -> None:
        """429, and 503 with Retry-After: nothing happened, so the request is sent again."""
        subject.server.misbehave(Mischief.BUSY, Mischief.LATER, Mischief.BUSY)
        assert act(subject.target, "send", make_call(subject.target, DOCUMENT)).answer == Answer.DONE
        assert len(subject.server.objects()) == 1

    def test_a_server_that_asks_for_a_long_wait_is_left_alone_for_as_long(self, subject: Subject) -> None:
        """The engine gets `again` at once with the wait, and the worker is not held up."""
        subject.server.misbehave(Mischief.MUCH_LATER)
        result = act(subject.target, "send", make_call(subject.target, DOCUMENT))
        assert (result.answer, result.retry_after) == (Answer.AGAIN, 900.0)
        assert not subject.server.objects()

    def test_case_60_what_broke_before_the_write_is_ambiguous_and_the_probe_says_absent(self, subject: Subject) -> None:
        """From outside, before and after the write look alike: only the probe knows."""
        for mischief in (Mischief.FAIL_BEFORE, Mischief.DROP_BEFORE):
            call = make_call(subject.target, DOCUMENT, mischief)
            subject.server.misbehave(mischief)
            assert act(subject.target, "send", call).answer == Answer.AMBIGUOUS
            assert act(subject.target, "probe", call).answer == Answer.ABSENT
        assert not subject.server.objects()

    def test_case_60_what_broke_after_the_write_is_ambiguous_and_the_probe_finds_it(self, subject: Subject) -> None:
        """A 500, a dropped connection and an unreadable answer may all hide a success."""
        for mischief in (Mischief.FAIL_AFTER, Mischief.DROP_AFTER, Mischief.GARBLE):
            call = make_call(subject.target, DOCUMENT, mischief)
            subject.server.misbehave(mischief)
            assert act(subject.target, "send", call).answer == Answer.AMBIGUOUS
            stored = subject.server.objects()[-1]
            result = act(subject.target, "probe", call)
            assert (result.answer, result.server_id) == (Answer.DONE, str(stored["id"]))
            assert result.returned["revision"] == str(stored["revision"])
        assert len(subject.server.objects()) == 3

    def test_attack_5_a_request_that_arrives_late_is_ambiguous_until_a_probe_finds_it(self, subject: Subject) -> None:
        """A first probe may truly say `absent`, and the object may still come: that is what `max_delay` is for."""
        call = make_call(subject.target, DOCUMENT)
        subject.server.misbehave(Mischief.HANG)
        assert act(subject.impatient, "send", call).answer == Answer.AMBIGUOUS
        assert act(subject.target, "probe", call).answer == Answer.ABSENT
        subject.server.deliver()
        assert act(subject.target, "probe", call).answer == Answer.DONE

    def test_a_refused_document_is_rejected_with_what_the_server_said(self, subject: Subject) -> None:
        """The answer goes into the quarantine's detail; the reason holds no row value."""
        subject.server.misbehave(Mischief.REFUSE)
        result = act(subject.target, "send", make_call(subject.target, DOCUMENT))
        assert (result.answer, result.status) == (Answer.REJECTED, 400)
        assert "missing" in result.body
        assert "400" in result.reason
        assert "Ada" not in result.reason

    def test_case_60_a_conflict_is_a_refusal_on_the_first_try_and_a_doubt_on_a_repeat(self, subject: Subject) -> None:
        """On a repeat, what we conflict with may be our own earlier try."""
        call = make_call(subject.target, DOCUMENT)
        subject.server.misbehave(Mischief.CONFLICT, Mischief.CONFLICT)
        assert act(subject.target, "send", call).answer == Answer.REJECTED
        assert act(subject.target, "send", call, repeat=True).answer == Answer.AMBIGUOUS

    def test_case_60_a_conflict_after_a_busy_answer_is_a_doubt(self, subject: Subject) -> None:
        """The target itself sent it twice."""
        subject.server.misbehave(Mischief.BUSY, Mischief.CONFLICT)
        assert act(subject.target, "send", make_call(subject.target, DOCUMENT)).answer == Answer.AMBIGUOUS

    def test_a_refused_credential_is_named_and_never_shown(self, subject: Subject) -> None:
        """A run pauses on this, whatever the action was."""
        call = make_call(subject.target, DOCUMENT, server_id="1")
        for kind in ("send", "probe", "undo", "update"):
            subject.server.misbehave(Mischief.DENY)
            result = act(subject.target, kind, call)
            assert result.answer == Answer.DENIED
            assert "CRM_TOKEN" in result.reason
            assert subject.secret not in repr(result)

    def test_attack_17_a_strangers_object_is_not_ours(self, subject: Subject) -> None:
        """A look-up may match by prefix or ignore its filter: only the very call id counts."""
        call = make_call(subject.target, DOCUMENT)
        for value in (call.id + "0", call.id.upper(), make_call(subject.target, DOCUMENT, "other").id):
            marker = {"name": "ludbCall", "value": value}
            subject.server.plant({"name": call.id, "characteristic": [marker]}, found_by_any_probe=True)
        assert act(subject.target, "probe", call).answer == Answer.ABSENT

    def test_attack_17_two_objects_of_one_call_are_reported_as_several(self, subject: Subject) -> None:
        """Which of them to keep is for a person to say."""
        call = make_call(subject.target, DOCUMENT)
        for _ in range(2):
            act(subject.target, "send", call)
        assert len(subject.server.objects()) == 2
        result = act(subject.target, "probe", call)
        assert (result.answer, result.server_id) == (Answer.SEVERAL, None)

    def test_case_60_a_server_that_honours_keys_writes_a_repeated_call_once(self, subject: Subject) -> None:
        """The key must be the call's id, the same on every try."""
        subject.server.honour_keys()
        call = make_call(subject.target, DOCUMENT)
        subject.server.misbehave(Mischief.DROP_AFTER)
        assert act(subject.target, "send", call).answer == Answer.AMBIGUOUS
        result = act(subject.target, "send", call, repeat=True)
        (stored,) = subject.server.objects()
        assert (result.answer, result.server_id) == (Answer.DONE, str(stored["id"]))

    def test_an_undone_object_is_gone_and_undoing_again_is_no_error(self, subject: Subject) -> None:
        """Recovery undoes again what it is not sure to have undone; other calls' objects stay."""
        kept = act(subject.target, "send", make_call(subject.target, DOCUMENT, "kept"))
        call = make_call(subject.target, DOCUMENT)
        call = make_call(subject.target, DOCUMENT, server_id=act(subject.target, "send", call).server_id)
        assert [act(subject.target, "undo", call).answer for _ in range(2)] == [Answer.DONE, Answer.DONE]
        assert [str(one["id"]) for one in subject.server.objects()] == [kept.server_id]

    def test_an_undo_that_broke_is_ambiguous_and_an_undo_that_is_refused_is_rejected(self, subject: Subject) -> None:
        """Either way the object may be there still: the engine must not call the unit clean."""
        call = make_call(subject.target, DOCUMENT)
        call = make_call(subject.target, DOCUMENT, server_id=act(subject.target, "send", call).server_id)
        subject.server.misbehave(Mischief.FAIL_BEFORE, Mischief.DROP_AFTER, Mischief.REFUSE)
        found = [act(subject.target, "undo", call).answer for _ in range(2)]
        assert found == [Answer.AMBIGUOUS, Answer.AMBIGUOUS]
        assert act(subject.target, "undo", call).answer == Answer.REJECTED
        assert not subject.server.objects()

    def test_an_undo_without_a_server_id_sends_nothing(self, subject: Subject) -> None:
        """`DELETE /customer/` would be another request altogether."""
        act(subject.target, "send", make_call(subject.target, DOCUMENT, "other"))
        for server_id in (None, "", ".."):
            call = make_call(subject.target, DOCUMENT, server_id=server_id)
            assert act(subject.target, "undo", call).answer == Answer.REJECTED
        assert len(subject.server.objects()) == 1

    def test_an_update_changes_the_same_object_even_where_keys_are_honoured(self, subject: Subject) -> None:
        """Under the call's own key such a server would repeat its first answer and change nothing."""
        subject.server.honour_keys()
        done = act(subject.target, "send", make_call(subject.target, DOCUMENT))
        changed = make_call(subject.target, {**DOCUMENT, "name": "Grace"}, server_id=done.server_id)
        result = act(subject.target, "update", changed)
        (stored,) = subject.server.objects()
        assert (result.answer, result.server_id, stored["name"]) == (Answer.DONE, done.server_id, "Grace")

    def test_case_60_a_server_that_is_down_got_nothing_on_a_first_try(self, subject: Subject) -> None:
        """`unsent` settles a call, so it is not said of a repeat, a probe or an undo: the object may be there."""
        subject.server.stop()
        call = make_call(subject.target, DOCUMENT, server_id="1")
        assert act(subject.target, "send", call).answer == Answer.UNSENT
        assert act(subject.target, "send", call, repeat=True).answer == Answer.AMBIGUOUS
        found = [act(subject.target, kind, call).answer for kind in ("probe", "undo", "update")]
        assert found == [Answer.AMBIGUOUS] * 3

    def test_check_passes_on_a_living_server_and_names_system_and_remedy_of_a_dead_one(self, subject: Subject) -> None:
        """It changes nothing at the server."""
        subject.target.check()
        assert not subject.server.objects()
        subject.server.stop()
        message = raised(ConfigError, subject.impatient.check)
        assert "crm" in message
        assert "CRM_URL" in message
        assert subject.secret not in message

    def test_every_action_gets_one_result(self, subject: Subject) -> None:
        """More actions than may be on their way at once, some of them failing."""
        calls = [make_call(subject.target, {**DOCUMENT, "number": at}, f"call {at}") for at in range(40)]
        subject.server.misbehave(*[Mischief.REFUSE, Mischief.FAIL_AFTER] * 3)
        results = list(subject.target.perform([Action("send", call) for call in calls]))
        assert sorted(result.action.call.id for result in results) == sorted(call.id for call in calls)
        found = answers(results)
        assert [found.count(one) for one in (Answer.DONE, Answer.REJECTED, Answer.AMBIGUOUS)] == [34, 3, 3]
        assert len(subject.server.objects()) == 37

    def test_nothing_leaves_after_the_results_were_closed_early(self, subject: Subject) -> None:
        """A worker that lost its lease must not go on sending; the target itself can be used again."""
        calls = [make_call(subject.target, DOCUMENT, f"call {at}") for at in range(100)]
        subject.server.misbehave(Mischief.REFUSE, *[Mischief.HANG] * subject.in_flight)
        results = iter(subject.target.perform([Action("send", call) for call in calls]))
        assert next(results).answer == Answer.REJECTED
        subject.server.deliver(subject.in_flight)
        results.close()  # type: ignore[attr-defined]  # perform is a generator
        # If the rest were still waiting for its turn, this one would come after it.
        assert act(subject.target, "send", make_call(subject.target, DOCUMENT, "last")).answer == Answer.DONE
        assert len(subject.server.objects()) == subject.in_flight + 1

    def test_no_action_is_no_result_and_closing_is_safe_to_repeat(self, subject: Subject) -> None:
        """Also before anything was sent."""
        assert list(subject.target.perform([])) == []
        subject.target.close()
        subject.target.close()

    def test_the_ability_is_what_the_output_declares(self, subject: Subject) -> None:
        """The engine decides by it whether a doubt can be resolved."""
        ability = subject.target.ability(OUTPUT.name)
        assert (ability.undo, ability.probe, ability.update, ability.idempotent_ttl) == (True, True, True, None)
