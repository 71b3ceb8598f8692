"""What the bench of APIs compares is comparable: everybody sends the same documents, and each arrives once."""

from __future__ import annotations

import json

import pytest

from bench.api import Wrong, drt, loop, move, sent
from bench.api.estate import make_customers, served


@pytest.mark.long
def test_ludb_and_the_loops_send_every_document_once(tmp_path):
    """Also: the job that the bench makes is one that runs."""
    database = make_customers(tmp_path / "legacy.sqlite", 40)
    with served() as api:
        for work in (
            lambda: move(api, database, tmp_path / "ludb"),
            lambda: loop("aiohttp", api, database, 40),
            lambda: loop("requests", api, database, 40),
            lambda: drt.send(api.url, database, 40, tmp_path / "drt"),
        ):
            assert sent(api, 40, work) > 0
        with pytest.raises(Wrong, match="40 of 41 documents arrived"):
            sent(api, 41, lambda: loop("aiohttp", api, database, 41))


def test_the_limited_api_takes_its_limit_and_no_more(tmp_path):
    database = make_customers(tmp_path / "legacy.sqlite", 100)
    with served() as api:
        api.set(1)
        with pytest.raises(Exception, match="non-zero exit"):
            loop("requests", api, database, 100)
        told = api.told()
        assert sum(told["refused"].values()) == 1
        assert 1 <= sum(told["taken"].values()) < 100


def test_drt_is_told_to_go_as_fast_as_it_can(tmp_path):
    """Its own default of 10 requests a second would make the comparison a lie."""
    project = drt.make_project(tmp_path / "drt", "http://x", tmp_path / "legacy.sqlite", 40)
    sync = json.loads((project / "syncs/customers.yml").read_text())
    assert sync["destination"]["rate_limit"] == sync["sync"]["rate_limit"] == drt.FAST
