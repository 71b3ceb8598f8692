"""kill -9 around every phase of a chunk whose files go to an object store: readers of manifests find each row once."""

from __future__ import annotations

import itertools
import json

import pytest

from ludb.engine.pipeline import PHASES

NUMBERS = itertools.count()
QUICK = [("prepare", "end"), ("journal", "end"), ("decide", "end"), ("commit", "end")]
KILLS = [(phase, edge) for phase in PHASES for edge in ("begin", "end")]


@pytest.fixture(scope="module")
def store():
    """The client of an object store on this machine, and its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    yield boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys), f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def lake(world, store):
    """The world with its files in a bucket; gives a function that fetches what counts there into the world's folder."""
    client, address = store
    bucket = f"killed-{next(NUMBERS)}"  # all stores of one process share their buckets
    client.create_bucket(Bucket=bucket)
    place = f'path: "s3://{bucket}/out", endpoint: "{address}", region: us-east-1'
    keys = 'access_key: "${LAKE_KEY}", secret_key: "${LAKE_SECRET}"'
    world.edit("job.yaml", 'path: "${EXPORT}", format: jsonl', f"{place}, {keys}, format: jsonl")
    world.environment |= {"LAKE_KEY": "k", "LAKE_SECRET": "secret"}

    def read(key: str) -> bytes:
        return client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def fetch() -> None:
        listed = {item["Key"].removeprefix("out/") for item in client.list_objects_v2(Bucket=bucket)["Contents"]}
        manifests = {key for key in listed if key.startswith("_manifest/")}
        counted = set()
        for key in manifests:
            found = json.loads(read(f"out/{key}"))
            ledger = world.folder / "export" / ".ludb" / "ledger" / key.removeprefix("_manifest/")
            ledger.parent.mkdir(parents=True, exist_ok=True)
            ledger.write_bytes(b"")
            counted |= found["parts"].keys()
        for key in counted:
            (world.folder / "export" / key).parent.mkdir(parents=True, exist_ok=True)
            (world.folder / "export" / key).write_bytes(read(f"out/{key}"))
        assert listed == manifests | counted, "what no manifest names is left behind"

    return fetch


@pytest.mark.parametrize(
    ("phase", "edge"), [pytest.param(*kill, marks=() if kill in QUICK else pytest.mark.long) for kill in KILLS]
)
def test_a_kill_leaves_each_row_once_for_readers_of_manifests_and_nothing_else(world, lake, same, phase, edge):
    world.die(f"phase.{edge}:{phase}#{2 if edge == 'begin' else 1}")
    summary = world.finish()
    lake()
    same(summary)
