"""What people set up at the server beside users and schedules: windows, alert rules, channels, job folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW, RULE, CHANNEL, FOLDER, IDENTITY, LOGIN = "window", "rule", "channel", "folder", "identity", "login"
NOTE = "alert-note"
"""The kinds of what is kept. `identity` leads from somebody at an identity provider to a user; `login` is one that is on
its way there; `alert-note` is what somebody wrote who takes care of an alert.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was set up. `data` never holds a secret, only its name; `at` is in Unix seconds, set by the store."""

    kind: str
    id: str
    data: Mapping[str, object] = field(default_factory=dict)
    by: str = ""
    at: float = 0.0
