"""What `ludb init` writes of a server: never its password."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ludb.dialects.settings import SystemSettings
from ludb.model.shape import TableShape
from ludb.model.unit import Column
from ludb.project import registry
from ludb.service.scaffold import job_name, look, make_from

URL = "postgresql://ann:pa%24s-word@db.example.org:5433/old?sslpassword=also-secret"


class Server:
    """A database server that can be reflected, as far as its settings and tables go."""

    class Settings(SystemSettings):
        url: str

    def __init__(self, name, settings, surroundings) -> None:
        assert settings.url == URL

    def tables(self):
        key = Column("id", pa.int64(), "bigint", nullable=False, key=True)
        return [TableShape("customer", (key,), ("id",), rows=3)]

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def server(monkeypatch):
    """`postgres` means this server, whichever adapters are installed."""
    real, names = registry.adapter, registry.names

    def adapter(group, name):
        return Server if (group, name) == (registry.SOURCES, "postgres") else real(group, name)

    def known(group):
        return tuple(sorted({*names(group), "postgres"})) if group == registry.SOURCES else names(group)

    monkeypatch.setattr(registry, "adapter", adapter)
    monkeypatch.setattr(registry, "names", known)


def test_the_url_of_a_server_becomes_a_variable_and_its_secrets_stand_in_no_file(server, tmp_path: Path):
    made = make_from(tmp_path / "job", look(URL, "legacy"), "customer")
    assert made.variables == ("LEGACY_URL",)
    texts = {path.name: path.read_text() for path in (tmp_path / "job").rglob("*") if path.is_file()}
    assert "legacy: {type: postgres, url: '${LEGACY_URL}'}" in texts["job.yaml"].replace('"', "'")
    assert "LEGACY_URL=postgresql://USER:PASSWORD@db.example.org:5433/old" in texts[".env.example"]
    assert ".env" in texts[".gitignore"].split()
    for secret in ("pa%24s-word", "pa$s-word", "also-secret", "ann:"):
        assert not [name for name, text in texts.items() if secret in text]


@pytest.mark.parametrize(("folder", "name"), [("shop", "shop"), ("2024 Müller", "job_2024_M_ller"), ("...", "job")])
def test_a_folder_of_any_name_gives_a_name_that_a_job_may_have(tmp_path, folder, name):
    assert job_name(None, tmp_path / folder) == name
