"""One store with all its ports: what every repository type is made of."""

from __future__ import annotations

from ludb.ports.access import Access
from ludb.ports.alerts import Alerts
from ludb.ports.doubts import Doubts
from ludb.ports.evidence import RunEvidence
from ludb.ports.figures import RunFigures
from ludb.ports.pages import Overview, Pages
from ludb.ports.recovery import Recovery
from ludb.ports.repository import CallJournal, Chunks, Commands, Events, KeyMap, Owners, Runs
from ludb.ports.retention import Retention
from ludb.ports.schedules import Schedules
from ludb.ports.setup import Setup
from ludb.ports.tasks import Answers, Samples, Tasks
from ludb.ports.views import RunViews
from ludb.repositories.store.access import StoreAccess
from ludb.repositories.store.alerts import StoreAlerts
from ludb.repositories.store.calls import StoreCalls
from ludb.repositories.store.chunks import StoreChunks
from ludb.repositories.store.commands import StoreCommands
from ludb.repositories.store.database import Database
from ludb.repositories.store.doubts import StoreDoubts
from ludb.repositories.store.events import StoreEvents
from ludb.repositories.store.evidence import StoreEvidence
from ludb.repositories.store.figures import StoreFigures
from ludb.repositories.store.keymap import StoreKeyMap
from ludb.repositories.store.overview import StoreOverview
from ludb.repositories.store.owners import StoreOwners
from ludb.repositories.store.pages import StorePages
from ludb.repositories.store.recovery import StoreRecovery
from ludb.repositories.store.retention import StoreRetention
from ludb.repositories.store.runs import StoreRuns
from ludb.repositories.store.schedules import StoreSchedules
from ludb.repositories.store.schema import open_schema
from ludb.repositories.store.segments import Segments
from ludb.repositories.store.setup import StoreSetup
from ludb.repositories.store.tasks import StoreAnswers, StoreSamples, StoreTasks
from ludb.repositories.store.views import StoreViews


class StoreRepository:
    """The `Repository` port over one database. Opened once per process; safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        """Open the store, making its tables where the database is empty."""
        self._database = database
        try:
            self._id = open_schema(database)
        except BaseException:
            database.close()
            raise
        segments = Segments()
        self._runs, self._chunks = StoreRuns(database), StoreChunks(database, segments)
        self._keymap, self._calls = StoreKeyMap(database), StoreCalls(database)
        self._commands, self._owners = StoreCommands(database), StoreOwners(database)
        self._events, self._views = StoreEvents(database), StoreViews(database, segments)
        self._evidence, self._retention = StoreEvidence(database), StoreRetention(database)
        self._recovery, self._doubts = StoreRecovery(database), StoreDoubts(database)
        self._access, self._tasks = StoreAccess(database), StoreTasks(database)
        self._pages, self._overview = StorePages(database, segments), StoreOverview(database, segments)
        self._alerts, self._schedules = StoreAlerts(database), StoreSchedules(database)
        self._figures = StoreFigures(database, segments)
        self._setup = StoreSetup(database)
        self._answers, self._samples = StoreAnswers(database), StoreSamples(database)

    @property
    def id(self) -> str:
        """The identity written into every ledger: made when the store was, random."""
        return self._id

    @property
    def runs(self) -> Runs:
        """Runs and the frozen unit list."""
        return self._runs

    @property
    def chunks(self) -> Chunks:
        """The life of chunks."""
        return self._chunks

    @property
    def keymap(self) -> KeyMap:
        """Old keys to new keys."""
        return self._keymap

    @property
    def calls(self) -> CallJournal:
        """Calls to APIs."""
        return self._calls

    @property
    def commands(self) -> Commands:
        """What a person asks of a run."""
        return self._commands

    @property
    def owners(self) -> Owners:
        """Workers and supervisors."""
        return self._owners

    @property
    def events(self) -> Events:
        """What happened, kept."""
        return self._events

    @property
    def views(self) -> RunViews:
        """The read side."""
        return self._views

    @property
    def evidence(self) -> RunEvidence:
        """What a report asks."""
        return self._evidence

    @property
    def retention(self) -> Retention:
        """What may be forgotten."""
        return self._retention

    @property
    def recovery(self) -> Recovery:
        """What was lost with a backup, given back."""
        return self._recovery

    @property
    def doubts(self) -> Doubts:
        """Calls as a person sees them."""
        return self._doubts

    @property
    def access(self) -> Access:
        """Who may use the server, and what they did."""
        return self._access

    @property
    def tasks(self) -> Tasks:
        """What servers are asked to do."""
        return self._tasks

    @property
    def answers(self) -> Answers:
        """Answers to commands, kept."""
        return self._answers

    @property
    def samples(self) -> Samples:
        """How runs went by the minute."""
        return self._samples

    @property
    def figures(self) -> RunFigures:
        """What the work of runs cost."""
        return self._figures

    @property
    def pages(self) -> Pages:
        """Lists in pages."""
        return self._pages

    @property
    def overview(self) -> Overview:
        """What stands out over all runs."""
        return self._overview

    @property
    def alerts(self) -> Alerts:
        """What needs a person."""
        return self._alerts

    @property
    def schedules(self) -> Schedules:
        """When jobs start by themselves."""
        return self._schedules

    @property
    def setup(self) -> Setup:
        """What people set up at the server."""
        return self._setup

    def close(self) -> None:
        """Let go of all connections; safe to repeat."""
        self._database.close()
