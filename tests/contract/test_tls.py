"""Rows travel encrypted where the job says so, and a server that cannot prove who it is gets none of them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError
from ludb.model.unit import TableRef, UnitTable
from ludb.sources.mysql import MysqlSource
from ludb.sources.postgres import PostgresSource
from ludb.targets.mysql import MysqlTarget
from ludb.targets.postgres import PostgresTarget
from ludb.testing.services import running
from ludb.testing.target import TXN, accounts

TABLE = "create table account (id bigint primary key, name varchar(40) not null)"
UNIT = UnitTable("account", TableRef("s", "account"))


def certificate(folder: Path, name: str, address: str) -> tuple[Path, Path]:
    """A key and a certificate, signed by itself, of a server at this address."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)).not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / f"{name}.pem", folder / f"{name}.key"


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """Certificates of the server, for 127.0.0.1 alone, and of a stranger."""
    folder = tmp_path_factory.mktemp("papers")
    return {name: certificate(folder, name, "127.0.0.1") for name in ("server", "stranger")}


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def server(request, papers):
    """An encrypted server, with an empty table."""
    options = ["--ssl-cert={0}/cert.pem", "--ssl-key={0}/cert.key"]
    if request.param == "postgres":
        options = ["-c", "ssl=on", "-c", "ssl_cert_file={0}/cert.pem", "-c", "ssl_key_file={0}/cert.key"]
    with encrypted(request.param, papers["server"], options) as started:
        fill(request.param, started)
        yield started


def encrypted(kind, paper, options):
    folder = Path(tempfile.mkdtemp(prefix="ludb-papers-"))
    folder.chmod(0o755)
    user = "postgres" if kind == "postgres" else "mysql"
    for file, ending in zip(paper, ("pem", "key"), strict=True):
        place = folder / f"cert.{ending}"
        shutil.copyfile(file, place)
        place.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(place, user)
    return running(kind, [option.format(folder) for option in options])


def adapters(server, papers, ca="server", host="127.0.0.1", verify="verify-full"):
    """A source and a target that ask for TLS, checked by this certificate."""
    around = Surroundings(papers["server"][0].parent, papers["server"][0].parent)
    if server.kind == "postgres":
        told = {"url": server.url("postgres"), "host": host, "sslmode": verify, "sslrootcert": str(papers[ca][0])}
        settings = PostgresSystem.model_validate({"type": "postgres", **told})
        return PostgresSource("s", settings, around), PostgresTarget("s", settings, around)
    tls = {"ca": str(papers[ca][0]), "verify": {"verify-full": "identity", "verify-ca": "ca"}[verify]}
    settings = MysqlSystem.model_validate({"type": "mysql", "url": server.url("shop"), "host": host, "tls": tls})
    return MysqlSource("s", settings, around), MysqlTarget("s", settings, around)


def fill(kind, server):
    if kind == "postgres":
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(TABLE)
        return
    with closing(pymysql.connect(host="127.0.0.1", port=server.port, user="root")) as connection:
        for statement in ("create database shop", "use shop", TABLE):
            connection.cursor().execute(statement)


def test_rows_are_read_and_written_over_a_proven_connection(server, papers):
    source, target = adapters(server, papers)
    target.prepare_schema()
    participant = target.begin(TXN)
    participant.write("account", accounts(0, 1))
    if server.kind == "postgres":
        asked = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        assert participant._connection.execute(asked).fetchone() == (True,)
    else:
        ((_, cipher),) = participant._session.texts("show session status like 'Ssl_cipher'", "look")
        assert cipher
    participant.prepare()
    participant.commit()
    (rows,) = source.scan(UNIT)
    assert rows.rows.column("id").to_pylist() == [0, 1]
    source.close()


@pytest.mark.parametrize("wrong", [{"ca": "stranger"}, {"host": "localhost"}])
def test_a_server_that_cannot_prove_who_it_is_gets_nothing_and_is_named(server, papers, wrong):
    """Signed by somebody else; or signed well, but for another name."""
    source, target = adapters(server, papers, **wrong)
    for attempt in (lambda: list(source.scan(UNIT)), target.prepare_schema):
        with pytest.raises(ConfigError, match=r"system s: .*certificate"):
            attempt()


def test_where_only_the_signature_counts_another_name_is_fine(server, papers):
    source, _ = adapters(server, papers, host="localhost", verify="verify-ca")
    assert source.count(UNIT) >= 0
    source.close()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_server_without_tls_is_refused_where_the_job_asks_for_it(kind, request, papers):
    source, _ = adapters(request.getfixturevalue(f"{kind}_server"), papers)
    with pytest.raises(ConfigError, match=r"(?i)ssl|tls"):
        list(source.scan(UNIT))
