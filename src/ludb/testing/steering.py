"""The contract of call targets that can be steered: subclass `SteeringContract` and give it a fixture `subject`."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ludb.model.calls import Action, Answer, Result
from ludb.ports.target import CallTarget, CanGuard, CanSteer
from ludb.testing.calls import DOCUMENT, Subject, act, answers, make_call


def steered(target: CallTarget) -> CanSteer:
    """The target as one that can be steered."""
    assert isinstance(target, CanSteer)
    return target


class SteeringContract:
    """Every promise of `ludb.ports.target.CanSteer`; a subclass gives the fixture `subject`, new each time."""

    def test_what_waits_for_its_turn_ends_unsent_when_nothing_is_to_leave_any_more(self, subject: Subject) -> None:
        """Otherwise stopping now would wait for hours, or leave calls in doubt that never left."""
        steered(subject.target).steer(0.001, None)  # one leaves at once, the next a quarter of an hour later
        found: list[Result] = []
        first = threading.Event()

        def perform(actions: Sequence[Action]) -> None:
            for result in subject.target.perform(actions):
                found.append(result)
                first.set()

        actions = [Action("send", make_call(subject.target, DOCUMENT, f"call {at}")) for at in range(3)]
        thread = threading.Thread(target=perform, args=(actions,))
        thread.start()
        assert first.wait(30), "nothing left"
        steered(subject.target).halt()
        thread.join(30)
        assert not thread.is_alive()
        assert len(subject.server.objects()) == 1
        assert sorted(answers(found)) == sorted([Answer.DONE, Answer.UNSENT, Answer.UNSENT])

    def test_an_undo_that_does_not_leave_claims_nothing(self, subject: Subject) -> None:
        """Otherwise an object would stay behind that the journal counts as taken back."""
        made = act(subject.target, "send", make_call(subject.target, DOCUMENT))
        steered(subject.target).halt()
        call = make_call(subject.target, DOCUMENT, server_id=made.server_id)
        assert act(subject.target, "undo", call).answer is Answer.AMBIGUOUS
        assert act(subject.target, "probe", call).answer is Answer.AMBIGUOUS
        assert len(subject.server.objects()) == 1

    def test_nothing_leaves_of_a_wave_whose_sender_has_lost_its_lease(self, subject: Subject) -> None:
        """Otherwise a worker that slept through its lease would send the rest when it wakes up, beside its successor."""
        assert isinstance(subject.target, CanGuard)
        steered(subject.target).steer(None, 1)
        subject.target.guard(lambda: not subject.server.objects())
        actions = [Action("send", make_call(subject.target, DOCUMENT, f"call {at}")) for at in range(3)]
        assert sorted(answers(list(subject.target.perform(actions)))) == [Answer.DONE, Answer.UNSENT, Answer.UNSENT]
        assert len(subject.server.objects()) == 1
        subject.target.guard(lambda: True)  # another chunk, another lease
        assert act(subject.target, "send", actions[1].call).answer is Answer.DONE

    def test_a_quicker_pace_reaches_what_waits_already(self, subject: Subject) -> None:
        """Otherwise a pace that was set too low by mistake would hold a chunk for hours."""
        steered(subject.target).steer(0.001, None)
        found: list[Result] = []
        first = threading.Event()

        def perform() -> None:
            actions = [Action("send", make_call(subject.target, DOCUMENT, f"call {at}")) for at in range(4)]
            for result in subject.target.perform(actions):
                found.append(result)
                first.set()

        thread = threading.Thread(target=perform)
        thread.start()
        assert first.wait(30), "nothing left"
        steered(subject.target).steer(None, 1)
        thread.join(30)
        assert not thread.is_alive()
        assert answers(found) == [Answer.DONE] * 4
