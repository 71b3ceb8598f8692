"""The journal in a folder keeps the promises of the port."""

from __future__ import annotations

import pytest

from ludb.errors import FatalError, TransientError
from ludb.journals.files import FileJournal
from ludb.testing.journal import CHUNK, JournalContract, writes


class TestFileJournal(JournalContract):
    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: FileJournal(tmp_path / "journal")

    def test_a_part_damaged_on_the_disk_is_never_applied(self, journal, tmp_path):
        sha = journal.append(CHUNK, writes())
        (part,) = (tmp_path / "journal").rglob("*.arrow")
        assert part.relative_to(tmp_path / "journal").parts == ("run-1", "c1", "txn-1", "billing.arrow")
        part.write_bytes(part.read_bytes()[:-1])
        with pytest.raises(FatalError, match="sha256"):
            journal.read(CHUNK, "billing", sha)

    def test_sync_covers_the_part_and_every_folder_above_it(self, journal, tmp_path, monkeypatch):
        """A part whose folder's name is lost with the power is lost as well."""
        synced = []
        monkeypatch.setattr("ludb.journals.files.sync_file", synced.append)
        monkeypatch.setattr("ludb.dialects.durable.sync_folder", synced.append)
        journal.append(CHUNK, writes())
        journal.sync(CHUNK)
        folder = tmp_path / "journal"
        claim = folder / "run-1" / "c1" / "txn-1"
        assert synced == [claim / "billing.arrow", claim, claim.parent, folder / "run-1", folder, tmp_path]

    def test_a_full_disk_leaves_no_half_part_behind(self, journal, tmp_path, monkeypatch):
        """The chunk is tried again later, with the same append."""
        monkeypatch.setattr("ludb.journals.files.write_new", _full)
        with pytest.raises(TransientError, match="No space left"):
            journal.append(CHUNK, writes())
        monkeypatch.undo()
        assert journal.read(CHUNK, "billing", journal.append(CHUNK, writes())).rows == 2


def _full(path, content):
    raise OSError(28, "No space left on device")
