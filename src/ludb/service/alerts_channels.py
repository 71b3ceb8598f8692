"""Ways to tell people of an alert: a document posted to an address, a mail. Secrets stand in variables, by name only."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import smtplib
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from email.policy import SMTP
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ludb.errors import ConfigError
from ludb.model.alerts import Alert, Severity
from ludb.model.setup import CHANNEL, Entry
from ludb.ports.repository import Repository

PREFIX = "LUDB_ALERT_"
"""What the variables that a channel may name begin with: nobody who sets one up can send another secret anywhere."""
WEBHOOK = "LUDB_ALERT_WEBHOOK"
"""The variable that holds the address of a webhook that nobody has to set up."""
FROM_ENVIRONMENT = "environment"
"""The id of the channel that this makes."""
PATIENCE, WITHIN = 10.0, 30.0
"""Seconds that each answer may take, and telling as a whole."""
_REFERENCE = re.compile(r"^\$\{(" + PREFIX + r"[A-Z0-9_]+)\}$")


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell people, of alerts that are at least so grave. `kind` is `webhook` or `smtp`."""

    id: str
    name: str
    kind: str
    settings: Mapping[str, Any]
    least: Severity = Severity.WARNING
    enabled: bool = True


class Untold(Exception):  # noqa: N818  (a state of the world)
    """Nobody was told; the message says why, without an address or a secret."""


def channels_of(repository: Repository, environment: Mapping[str, str]) -> list[Channel]:
    """All channels, the one from the environment too."""
    found = [channel_of(one) for one in repository.setup.all(CHANNEL)]
    if environment.get(WEBHOOK):
        found.append(Channel(FROM_ENVIRONMENT, f"${WEBHOOK}", "webhook", {"url": f"${{{WEBHOOK}}}"}))
    return found


def channel_of(entry: Entry) -> Channel:
    """A channel as it is kept. `ConfigError` for a secret that is written out, or an address that is none."""
    data: Mapping[str, Any] = entry.data
    settings = data["settings"]
    for name in ("password", "secret"):
        if settings.get(name) and not _REFERENCE.match(settings[name]):
            raise ConfigError(
                f"{name} is a secret: it is named, not written", field=f"settings.{name}",
                remedy=f"Write ${{{PREFIX}NAME}}, and give that variable to the server",
            )  # fmt: skip
    if data["kind"] == "webhook" and not _REFERENCE.match(settings["url"]):
        _check_address(settings["url"])
    if data["kind"] == "smtp" and settings.get("password") and settings["security"] == "none":
        raise ConfigError(
            "a password would cross the network in plain text", field="settings.security", remedy="Say tls or starttls"
        )
    return Channel(
        entry.id, data["name"], data["kind"], settings, Severity(data["least"]), bool(data.get("enabled", True))
    )


def send(channel: Channel, alert: Alert, environment: Mapping[str, str], within: float = WITHIN) -> None:
    """Tell people of an alert, once; `Untold` if that did not work `within` so many seconds, whatever the other side does.
    Safe to repeat: receivers know it by its number.
    """
    ended: Queue[Untold | None] = Queue()
    told = Thread(target=lambda: ended.put(_outcome(channel, alert, environment)), name="alert.send", daemon=True)
    told.start()
    try:
        why = ended.get(timeout=within)
    except Empty:  # it answers a byte at a time, each in time
        why = Untold(f"it took more than {within:.0f} seconds")
    if why is not None:
        raise why


def _outcome(channel: Channel, alert: Alert, environment: Mapping[str, str]) -> Untold | None:
    """Why nobody was told; None if somebody was."""
    try:
        if channel.kind == "webhook":
            _post(channel.settings, alert, environment)
        else:
            _mail(channel.settings, alert, environment)
    except Exception as error:  # noqa: BLE001  (whoever waits must hear of it)
        return Untold(_why(error))
    return None


def _why(error: Exception) -> str:
    """An error in words; others' own words may hold the address, so of those the type alone."""
    match error:
        case ConfigError():
            said = error.message
        case HTTPError():
            said = f"the webhook answered {error.code}"
        case smtplib.SMTPResponseException():
            said = f"the mail server refused it: {error.smtp_code}"
        case smtplib.SMTPRecipientsRefused():
            said = "the mail server takes no mail for these recipients"
        case URLError():
            said = f"it was not reached: {type(error.reason).__name__}"
        case _:
            said = f"it was not reached: {type(error).__name__}"
    return said


def check_webhook(address: str | None) -> None:
    """`ConfigError` for an address that is none; it is not repeated, since it may hold a secret."""
    if address and urlsplit(address).scheme not in {"http", "https"}:
        raise ConfigError(f"${WEBHOOK} holds no http or https address", remedy="Write https://host/path")


def _post(settings: Mapping[str, Any], alert: Alert, environment: Mapping[str, str]) -> None:
    document = json.dumps({"event": "alert.raised", **asdict(alert)}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "ludb"}
    secret = _said(settings.get("secret") or "", environment)
    if secret:
        headers["X-Ludb-Signature"] = "sha256=" + hmac.new(secret.encode(), document, hashlib.sha256).hexdigest()
    address = _said(settings["url"], environment)
    _check_address(address)
    request = urllib.request.Request(address, document, headers, method="POST")  # noqa: S310  (checked above)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310  (as above)
        answer.read(1)


def _mail(settings: Mapping[str, Any], alert: Alert, environment: Mapping[str, str]) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = f"[ludb {alert.severity}] {alert.rule}: {alert.job}"
    mail["From"], mail["To"] = settings["sender"], ", ".join(settings["to"])
    mail["Message-ID"] = f"<alert-{alert.number}-{int(alert.raised_at)}@ludb>"
    mail.set_content(f"{alert.text}\n\njob {alert.job}\nrun {alert.run}\nrule {alert.rule}, alert {alert.number}\n")
    password = _said(settings.get("password") or "", environment)
    context = ssl.create_default_context()
    host, port = settings["host"], settings["port"]
    if settings["security"] == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=PATIENCE, context=context)
    else:
        client = smtplib.SMTP(host, port, timeout=PATIENCE)
    with client:
        if settings["security"] == "starttls":
            client.starttls(context=context)
        if settings.get("user"):
            client.login(settings["user"], password)
        client.send_message(mail)


def _said(text: str, environment: Mapping[str, str]) -> str:
    """A text, or what the variable holds that it names."""
    named = _REFERENCE.match(text)
    if named is None:
        return text
    if not environment.get(named[1]):
        raise ConfigError(f"the server has no variable {named[1]}", remedy="Give it to the server, and start it anew")
    return environment[named[1]]


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("the webhook's address is no http or https address", field="settings.url", remedy="Mend it")
