"""The job that `ludb init --openapi` makes: an output and a step for every document that the API takes, to be filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludb.errors import ConfigError
from ludb.project.first_job import CUSTOMERS, IGNORED
from ludb.targets.rest.openapi import Description, Operation
from ludb.targets.rest.openapi_compare import members_of
from ludb.unitdb.database import identifier

SYSTEM = "api"
"""What the API's system is called."""
DEEPEST = 4
"""Levels of members that must be there which a step shows; deeper ones are left to whoever fills it in."""
_JOB = """\
# Sends documents to an API, each customer whole, or not at all. Every field: docs/reference/job.md, docs/reference/rest.md
name: {name}
systems:
  legacy: {{type: files, path: data}}   # where the customers are now: a database, files
  api:    {{type: rest, url: "${{API_URL}}", openapi: {file}}}   # auth: docs/reference/rest.md
unit:
  root: legacy.customers
  key: id
  types: {{id: integer}}
outputs:
{outputs}
settings: {{chunk_units: 500, workers: 2}}
"""
_README = """\
# {name}

A migration job for `ludb` that writes to an API. `steps/` holds one step for each document that the API takes: members that
must be there are NULL and marked, the others stand in comments.

```
export API_URL=https://...
ludb check {shown} && ludb plan {shown}
ludb unit 1 --try --job {shown}    # the documents of one customer, checked by the API's description; nothing is sent
ludb run {shown}
```

Look at `marker:` and `probe:` in `job.yaml`: where the API can be asked for an object by a text of ours, a lost answer is looked
up; without them it is a person's matter.
"""
MARK = "ludbCall"
"""The name under which a call's id stands in a list of names and values."""
_EXTERNAL = re.compile(r"external_?(id|identifier|reference|ref|key)$", re.IGNORECASE)
_TYPES = {"integer": "BIGINT", "number": "DECIMAL(18,4)", "boolean": "BOOLEAN"}
_FORMATS = {"date": "DATE", "date-time": "TIMESTAMPTZ", "uuid": "UUID"}


def api_job(name: str, shown: str, file: Path) -> dict[str, str]:
    """Texts by file name, the description among them. ConfigError where it has no document that could be sent."""
    description = Description(file, "--openapi")
    found = _documents(description)
    if not found:
        raise ConfigError(
            f"{file} has no POST with a document to a collection that can be read", remedy="Write the job by hand"
        )
    outputs = "\n".join(_output(table, one, description) for table, one in found.items())
    texts = {
        "job.yaml": _JOB.format(name=name, file=json.dumps(file.name), outputs=outputs),
        "README.md": _README.format(name=name, shown=shown),
        "data/customers.csv": CUSTOMERS,
        ".gitignore": IGNORED,
        ".env.example": "# Copy to .env, fill in, and name it: export LUDB_SECRETS=$PWD/.env\nAPI_URL=https://HOST/PATH\n",
        file.name: file.read_text(encoding="utf-8-sig"),
    }
    for number, (table, one) in enumerate(found.items(), start=1):
        texts[f"steps/{number * 10:04}_{table}/{SYSTEM}.{table}.sql"] = _step(one, description)
    return texts


def _documents(description: Description) -> dict[str, Operation]:
    """POST requests with a document, by the name of their output. What cannot be read back is no object: a hub of events."""
    found: dict[str, Operation] = {}
    for one in description.listed:
        readable = any(description.has("GET", path) for path in (one.path, f"{one.path}/{{id}}"))
        if one.method != "POST" or one.schema is None or "{" in one.path or not readable:
            continue
        words = [re.sub(r"\W+", "_", word) for word in one.path.split("/") if word]
        short = words[-1] if words and words[-1] not in found else "_".join(words)
        found[short or "root"] = one
    return found


def _output(table: str, one: Operation, description: Description) -> str:
    item = f"{one.path}/{{id}}"
    fields = [f"{SYSTEM}.{table}:", f"  call: POST {one.path}", "  row: [unit_key]"]
    if description.has("DELETE", item):
        fields.append(f'  undo: "DELETE {item}"')
        if "id" in members_of(description, description.answer(one))[0]:
            fields.append(f"  returns: {{{table}_id: $.id}}")
    update = next((method for method in ("PATCH", "PUT") if description.has(method, item)), None)
    if update:
        fields.append(f'  update: "{update} {item}"')
    fields += [f"  # {line}" for line in _looked_up(one, description)]
    return "\n".join(f"  {line}" for line in fields)


def _looked_up(one: Operation, description: Description) -> list[str]:
    """Where a call's id could stand, and how an object is found by it, with why; or that nobody can tell."""
    place = _place(one, description)
    if place is None or not description.has("GET", one.path):
        return [
            "A lost answer leaves its call in doubt, for a person to clear up: nothing was found here that could hold a text",
            "of ours and be asked for. If the API has such a member, name it in `marker:` and ask for it in `probe:`.",
        ]
    marker, asked = place
    return [
        "A lost answer is looked up by a text of ours in the object; without these two lines it is left to a person. Take the",
        "`#` away once the API is seen to find an object by it:",
        f"marker: {marker}",
        f'probe: "GET {one.path}?{asked}"',
    ]


def _place(one: Operation, description: Description) -> tuple[str, str] | None:
    """A marker, and the query that finds it: a list of names and values before a text that is called external."""
    members, _ = members_of(description, one.schema)
    free = {name: schema for name, schema in members.items() if re.fullmatch(r"\w+", name)}
    for name in sorted(free, key=lambda name: "characteristic" not in name.lower()):
        schema = description.resolved(free[name])
        inner, _ = members_of(description, schema.get("items") or {})
        if schema.get("type") == "array" and not schema.get("readOnly") and {"name", "value"} <= set(inner):
            return f"$.{name}.{MARK}", f"{name}.name={MARK}&{name}.value={{call_id}}"
    for name, told in free.items():
        schema = description.resolved(told)
        if schema.get("type") == "string" and not schema.get("readOnly") and _EXTERNAL.match(name):
            return f"$.{name}", f"{name}={{call_id}}"
    return None


def _step(one: Operation, description: Description) -> str:
    members, required = members_of(description, one.schema)
    needed = [(name, _value(description, members.get(name, {}), 0)) for name in required]
    lines = ["    c.unit_key,  -- whose it is; not sent"]
    for at, (name, value) in enumerate(needed):
        end = "," if at + 1 < len(needed) else ""
        lines.append(
            f"    {value} AS {identifier(name)}{end}  -- must be there{_kind(description, members.get(name, {}))}"
            f"{_told(description, members.get(name, {}))}"
        )
    if not needed:
        lines[0] = lines[0].replace(",", "", 1)
    for name in members:
        if name not in required and not description.resolved(members[name]).get("readOnly"):
            value = _value(description, members[name], 0)
            kind = _kind(description, members[name])
            lines.append(f"    -- , {value} AS {identifier(name)}{kind}{_told(description, members[name])}")
    head = f"-- One row is one document is one call: {one.method} {one.path}. A member that is NULL is not sent."
    return "\n".join([head, "SELECT", *lines, "FROM legacy.customers c", ""])


def _value(description: Description, schema: Any, depth: int) -> str:
    """NULL, with the members within it that must be there. It has no type: by that `ludb check` sees what is not filled in."""
    found = description.resolved(schema)
    kind = found.get("type")
    kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
    members, required = members_of(description, found)
    if members or kind == "object":
        inner = required if depth < DEEPEST else []
        parts = [f"'{_quoted(name)}': {_value(description, members.get(name, {}), depth + 1)}" for name in inner]
        return f"{{{', '.join(parts)}}}" if parts else "NULL"
    if kind == "array":
        return f"[{_value(description, found.get('items') or {}, depth + 1)}]" if depth < DEEPEST else "NULL"
    return "NULL"


def _kind(description: Description, schema: Any) -> str:
    """The SQL type of a member that is a single value."""
    found = description.resolved(schema)
    kind = found.get("type")
    kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
    if kind in {"object", "array"} or members_of(description, found)[0]:
        return ""
    return f" ({_TYPES.get(str(kind)) or _FORMATS.get(str(found.get('format'))) or 'VARCHAR'})"


def _told(description: Description, schema: Mapping[str, Any]) -> str:
    """What the description says of a member, on one line."""
    text = str(schema.get("description") or description.resolved(schema).get("description") or "")
    plain = " ".join(text.split())
    return f": {plain[:80]}" if plain else ""


def _quoted(name: str) -> str:
    return name.replace("'", "''")
