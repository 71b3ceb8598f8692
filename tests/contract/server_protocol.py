"""Attacks on the commit protocol that every server meets alike; numbers are those of the protocol's list.

A subclass has fixtures: `make(**settings)` opens the target with its ledger made, over one database with the tables `account`
and `charge` of `ludb.testing.target`; `end(participant)` has the server end the participant's connection.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ludb.errors import TransientError, UnitError
from ludb.model.data import WriteSet
from ludb.testing.target import ACCOUNT, TXN, accounts, rows_for, stored


def writes(*numbers: int) -> WriteSet:
    return WriteSet("billing", {"account": accounts(*numbers)})


class LostConnections:
    """What is lost is tried again, and nothing comes twice."""

    @pytest.mark.parametrize("phase", ["write", "prepare", "commit"])
    def test_a_connection_lost_before_any_phase_is_tried_again_and_nothing_comes_twice(self, make, end, phase):
        target = make()
        participant = target.begin(TXN)
        steps = {
            "write": lambda: participant.write("account", accounts(0, 1)),
            "prepare": participant.prepare,
            "commit": participant.commit,
        }
        with pytest.raises(TransientError):  # noqa: PT012  (any of the remaining phases may be the one that notices)
            for name, step in steps.items():
                if name == phase:
                    end(participant)
                step()
        participant.rollback()
        assert stored(target) == []
        assert not target.apply(TXN, writes(0, 1)).already
        assert target.apply(TXN, writes(0, 1)).already
        assert stored(target) == [0, 1]


class Waits:
    """Locks of others: a wait that is too long is tried again, and nothing of the chunk is left behind to be committed."""

    def test_attack_11_after_a_lock_time_out_nothing_of_the_chunk_can_be_committed(self, make):
        """InnoDB undoes one statement only, and a COMMIT would keep the earlier rows."""
        holder = make().begin(TXN)
        holder.write("account", accounts(5))
        waiter = make().begin(replace(TXN, id="waiter", seq=8))
        waiter.write("account", accounts(1))
        with pytest.raises(TransientError, match=r"(?i)lock"):
            waiter.write("account", accounts(5))
        for step in (waiter.prepare, waiter.commit):
            with pytest.raises(TransientError):
                step()
        holder.rollback()
        assert stored(make()) == []

    def test_attack_11_after_a_deadlock_nothing_of_the_chunk_can_be_committed(self, make):
        """InnoDB undoes everything, and the next statement would commit alone."""
        one, two = (make(lock_timeout=20).begin(replace(TXN, id=name)) for name in ("one", "two"))
        one.write("account", accounts(1))
        two.write("account", accounts(2))
        met: dict[str, Exception] = {}

        def cross(name, participant, number):
            try:
                participant.write("account", accounts(number))
            except TransientError as error:
                met[name] = error

        crossing = threading.Thread(target=cross, args=("one", one, 2))
        crossing.start()
        cross("two", two, 1)
        crossing.join()
        assert len(met) == 1
        assert "deadlock" in str(met).lower()
        survivor, victim = (two, one) if "one" in met else (one, two)
        for step in (lambda: victim.write("account", accounts(3)), victim.prepare, victim.commit):
            with pytest.raises(TransientError):
                step()
        survivor.prepare()
        survivor.commit()
        assert stored(make()) == [1, 2]


class Silence:
    """A worker that is stopped, or whose machine is cut off."""

    idle = 1.0
    """Seconds that a worker may be silent; MySQL knows whole ones only, and less is over before a busy machine has written."""

    def test_attack_12_the_server_ends_a_transaction_whose_worker_is_stopped(self, make):
        """A worker that sleeps with its locks stands in nobody's way for longer than its time."""
        sleeper = make(idle_timeout=self.idle).begin(TXN)
        other = None
        try:
            sleeper.write("account", accounts(0))
            other = make(lock_timeout=20).begin(replace(TXN, id="other"))
            other.write("account", accounts(0))  # waits until the server has ended the sleeper
            other.prepare()
            other.commit()
            with pytest.raises(TransientError):
                sleeper.prepare()
        finally:  # a table that somebody holds cannot be dropped
            sleeper.rollback()
            if other is not None:
                other.rollback()
        assert stored(make()) == [0]


class Conflicts:
    """Two chunks at one time with one customer's name."""

    @pytest.mark.parametrize("first", [0, 1])
    def test_attack_15_one_name_for_two_customers_of_two_chunks_is_kept_by_one(self, make, first):
        """While the other transaction is open nobody can tell: that is tried again; afterwards the second one is at fault."""
        target = make()
        chunks = [replace(TXN, id=f"txn-{number}", chunk=f"c{number}", positions=(number,)) for number in (0, 1)]
        rows = [rows_for(ACCOUNT, [(number, number, "the same")]) for number in (0, 1)]
        open_one = target.begin(chunks[first])
        open_one.write("account", rows[first])
        second = target.begin(chunks[1 - first])
        with pytest.raises(TransientError, match=r"(?i)lock|1205|55P03"):
            second.write("account", rows[1 - first])
        second.rollback()
        open_one.prepare()
        open_one.commit()
        again = target.begin(replace(chunks[1 - first], id="again"))
        with pytest.raises(UnitError) as caught:
            again.write("account", rows[1 - first])
        again.rollback()
        assert list(caught.value.faults) == [1 - first]
        assert stored(target) == [first]


class Restarts:
    """The server fails and comes back."""

    @pytest.mark.long
    def test_a_server_that_restarts_in_the_middle_is_tried_again_and_nothing_comes_twice(self, own_server):
        """The transaction is gone with the server; recovery waits for it, then writes once. `own_server`: (server, target)."""
        server, target = own_server
        target.prepare_schema()
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        server.kill()
        with pytest.raises(TransientError):
            participant.commit()
        participant.rollback()
        with pytest.raises(TransientError):
            target.apply(TXN, writes(0))
        server.start()
        assert not target.apply(TXN, writes(0)).already
        assert target.apply(TXN, writes(0)).already
        assert stored(target) == [0]
