"""An object store keeps the promises of a target, and each of its faults is named by what happens next."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
from dataclasses import replace
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from obstore.exceptions import GenericError

from ludb.dialects.files import FilesSystem, FileTable
from ludb.dialects.files_place import Place
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, FatalError, PauseError, RoomError, TransientError
from ludb.model.data import WriteSet
from ludb.sources.files import FilesSource
from ludb.targets.files import FilesTarget
from ludb.testing.rehearsal import RehearsalContract
from ludb.testing.source import SourceContract, unit_table
from ludb.testing.target import TXN, TargetContract, accounts, stored

NUMBERS = itertools.count()
VARIABLES = {"secret_key": ("LAKE_SECRET",)}


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def lake(endpoint, tmp_path):
    """Makes targets over a bucket of this test's own."""
    import boto3

    bucket = f"lake-{next(NUMBERS)}"
    boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="secret"
    ).create_bucket(Bucket=bucket)

    def lake(form="parquet", **more):
        given = {"type": "files", "path": f"s3://{bucket}/out", "endpoint": endpoint, "region": "us-east-1"}
        keys = {"access_key": "k", "secret_key": "secret", "format": form}
        settings = FilesSystem.model_validate({**given, **keys, **more})
        return FilesTarget("lake", settings, Surroundings(tmp_path, tmp_path, VARIABLES), clock=lambda: 1.5)

    return lake


class Objects(TargetContract, RehearsalContract):
    more = MappingProxyType({})

    @pytest.fixture
    def reopen(self, lake):
        return lambda: lake(self.form, **self.more)


class TestParquetObjects(Objects):
    form = "parquet"

    @pytest.fixture
    def begun(self, target):
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        return participant

    def test_a_commit_whose_answer_was_lost_keeps_its_parts(self, target, reopen, begun, monkeypatch):
        """The manifest was put, the connection broke: a rollback now would delete committed rows."""
        put = target._objects.put

        def lost(*args, **options):
            put(*args, **options)
            raise TransientError("gone", system="lake")

        monkeypatch.setattr(target._objects, "put", lost)
        with pytest.raises(TransientError):
            begun.commit()
        begun.rollback()
        assert reopen().apply(TXN, WriteSet("lake", {"account": accounts(0)})).already
        assert stored(reopen()) == [0]

    def test_a_zombie_that_commits_after_recovery_changes_nothing(self, target, reopen, begun):
        assert not reopen().apply(TXN, WriteSet("lake", {"account": accounts(0)})).already
        begun.commit()
        assert (stored(target), target.ledger("repo").num_rows) == ([0], 1)

    @pytest.mark.parametrize("damage", ["delete", "cut"])
    def test_a_prepared_part_that_was_lost_is_written_again(self, target, reopen, begun, damage):
        (part,) = target._objects.names("account/")
        target._objects.delete([part]) if damage == "delete" else target._objects.put(part, b"PAR")
        assert not reopen().apply(TXN, WriteSet("lake", {"account": accounts(0)})).already
        assert stored(target) == [0]

    def test_a_manifest_of_other_parts_stops_the_run(self, target, begun):
        target._objects.put(f"_manifest/{TXN.id}.json", json.dumps({"parts": {}}).encode())
        with pytest.raises(FatalError, match="not what was prepared"):
            begun.commit()

    def test_what_a_killed_claim_left_is_deleted_by_the_next_claim_of_its_chunk_alone(self, target):
        for chunk, last in (("chunk-1", "a"), ("chunk-10", "b")):
            participant = target.begin(replace(TXN, id=last, chunk=chunk))
            participant.write("account", accounts(0))
            participant.prepare()
        target.begin(TXN)
        assert target._objects.names("account/") == ["account/part-b.parquet"]
        assert target._objects.names("_prepared/") == ["_prepared/chunk-10~b.json"]

    def test_a_store_that_ignores_the_condition_is_refused(self, target, monkeypatch):
        put = target._objects.put
        monkeypatch.setattr(target._objects, "put", lambda path, content, new=False: put(path, content))
        with pytest.raises(ConfigError, match="If-None-Match"):
            target.prepare_schema()


class TestObjectSource(SourceContract):
    @pytest.fixture
    def load(self, lake, tmp_path):
        target = lake()

        def load(tables):
            for name, table in tables.items():
                pq.write_table(table, tmp_path / f"{name}.parquet")
                target._objects.put(f"{name}.parquet", (tmp_path / f"{name}.parquet").read_bytes())
            return FilesSource("legacy", target._settings, Surroundings(tmp_path, tmp_path, VARIABLES))

        return load


def read_objects(target, tmp_path, **options):
    settings = target._settings.model_copy(update={"tables": {"t": FileTable.model_validate(options)}})
    source = FilesSource("legacy", settings, Surroundings(tmp_path, tmp_path, VARIABLES))
    return pa.concat_tables(piece.rows for piece in source.scan(unit_table("t"))).to_pylist()


def test_a_source_reads_compressed_objects_and_several_as_one_table(lake, tmp_path):
    target = lake()
    for name in ("b-2", "b-1", "deeper/b-3"):
        target._objects.put(f"{name}.csv.gz", gzip.compress(f"a\n{name}\n".encode()))
    assert read_objects(target, tmp_path, file="b-*.csv.gz") == [{"a": "b-1"}, {"a": "b-2"}]


def test_a_source_names_a_missing_bucket_and_a_store_that_is_away(lake, tmp_path):
    with pytest.raises(ConfigError, match="no bucket nowhere"):
        read_objects(lake(path="s3://nowhere/out"), tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(TransientError, match="system legacy"):
            read_objects(lake(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}"), tmp_path)


def test_a_source_with_refused_credentials_pauses(tmp_path):
    place = Place("legacy", FilesSystem(type="files", path="s3://b"), Surroundings(tmp_path, tmp_path))
    error = place.meaning(OSError("AWS Error ACCESS_DENIED during HeadBucket operation"), "cannot read")
    assert isinstance(error, PauseError)


class TestJsonObjects(Objects):
    form = "jsonl"


class TestCsvObjects(Objects):
    form = "csv"
    more = MappingProxyType({"compression": "gzip", "delimiter": ";"})


def test_a_missing_bucket_is_a_mistake_of_the_job(lake):
    with pytest.raises(ConfigError, match="no such bucket"):
        lake(path="s3://nowhere/out").prepare_schema()


def test_a_store_that_is_away_is_tried_again_later(lake):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(TransientError, match="system lake") as caught:
            lake(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}").begin(TXN)
    assert not isinstance(caught.value, RoomError)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("403 Forbidden <Code>AccessDenied</Code>", PauseError),
        ("<Code>SignatureDoesNotMatch</Code>", PauseError),
        ("<Code>QuotaExceeded</Code>", RoomError),
        ("<Code>EntityTooLarge</Code>", FatalError),
        ("500 Internal Server Error", TransientError),
    ],
)
def test_each_answer_of_a_store_is_named_by_what_happens_next(lake, monkeypatch, answer, expected):
    """The server in the test checks neither keys nor sizes, so the client's error is made here."""
    target = lake()

    def fail(*_args, **_options):
        raise GenericError(answer)

    monkeypatch.setattr(target._objects._objects, "put", fail)
    with pytest.raises(expected, match="lake") as caught:
        target.prepare_schema()
    assert "secret" not in str(caught.value)
    if expected is PauseError:
        assert caught.value.credential == "LAKE_SECRET"


def test_a_secret_in_the_job_itself_is_refused(tmp_path):
    settings = FilesSystem(type="files", path="s3://b/p", access_key="k", secret_key="hidden")
    with pytest.raises(ConfigError, match="secret stands in the job") as caught:
        FilesTarget("lake", settings, Surroundings(tmp_path, tmp_path))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"path": "out", "region": "x"}, "region belongs"),
        ({"path": "ftp://x/y"}, "s3://bucket/prefix"),
        ({"path": "s3:///y"}, "no bucket"),
        ({"path": "s3://b", "access_key": "k"}, "belong together"),
        ({"path": "s3://b", "endpoint": "b.example"}, "endpoint"),
    ],
)
def test_a_place_that_cannot_be_is_a_named_mistake(given, named):
    with pytest.raises(ValueError, match=named):
        FilesSystem.model_validate({"type": "files", **given})


def test_settings_do_not_show_the_secret():
    settings = FilesSystem(type="files", path="s3://b", access_key="kk", secret_key="hidden")
    assert "hidden" not in repr(settings)
