"""The report says what `ludb status` says, to people who only have a browser and a printer."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from ludb.service.report import make_report
from ludb.service.report_page import render_report

VOID = {"meta", "rect", "line", "link", "br", "img", "hr", "input"}
STRANGE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The report as a reader meets it: tables by caption, tiles, texts; and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.tiles: dict[str, str] = {}
        self._rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self._caption = ""
        self._term = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th", "caption", "dt", "dd"):
            self._cell = []

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):  # paragraphs of a cell are words apart
        if self.open and self.open[-1] in ("style", "title", "desc"):
            return
        self.words.append(data)
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"
        text = " ".join("".join(self._cell or []).split())
        if tag in ("td", "th"):
            self._rows[-1].append(text)
        elif tag == "caption":
            self._caption = text
        elif tag == "dt":
            self._term = text
        elif tag == "dd":
            self.tiles[self._term] = text
        elif tag == "table":
            assert self._caption, "a table without a caption"
            self.tables[self._caption] = self._rows
        if tag in ("td", "th", "caption", "dt", "dd"):
            self._cell = None

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def table(self, start: str) -> list[list[str]]:
        (found,) = [rows for caption, rows in self.tables.items() if caption.startswith(start)]
        return found


def report(bench, *arguments, code=0) -> tuple[Page, str]:
    said = bench.ludb("report", "--job", bench.job, "-o", "report.html", *arguments)
    assert said.code == code, said.err
    text = (bench.folder / "report.html").read_text(encoding="utf-8")
    return Page(text), text


def test_the_report_shows_the_numbers_of_status(moved):
    page, _ = report(moved)
    status = moved.ludb("status", "--job", moved.job, "--json").json
    counters = status["counters"]
    tiles = ("customers in the list", "moved", "quarantined", "in doubt", "pending")
    counted = [counters[name] for name in ("total", "done", "quarantined", "in_doubt")]
    assert [int(page.tiles[name]) for name in tiles] == [*counted, 0]
    shown = {row[0]: row[1:] for row in page.table("Rows of every source table")[1:-1]}
    for line in status["source"]:
        held = sum(count for state, count in line["by_state"].items() if state != "done")
        numbers = [
            line["planned"],
            line["by_state"].get("done", 0),
            held,
            line["stray"],
            line["pending"],
            line["orphans"],
        ]
        assert shown[line["table"]] == [*map(str, numbers), "adds up"]
    written = {row[0]: row[1:] for row in page.table("Rows and calls of every output")[1:]}
    assert written == {
        line["output"]: [str(n) for n in (line["produced"], line["written"], line["produced"] - line["written"])]
        for line in status["outputs"]
    }
    (_, (units, state, reason)) = page.table("Customers that could not move")
    assert [units, state] == ["1", "quarantined"]
    assert status["reasons"][0][1] in reason
    assert reason.endswith("5")
    assert page.table("Orphans")[1][:4] == ["orders", "1", "1", "0"]
    assert "Every one of 8 customers is accounted for: 7 moved + 1 set aside + 0 pending = 8" in page.text
    assert "This run is not over" not in page.text


def test_the_report_says_who_planned_and_how_it_was_done(moved):
    page, _ = report(moved)
    story = page.table("What people asked for")
    assert story[1][1:3] == ["tester", "planned the run"]
    assert "the run ended: completed with exceptions" in [row[2] for row in story]
    settings = {row[0]: row[1] for row in page.table("Settings")}
    assert (settings["chunk units"], settings["workers"]) == ("2", "1")
    assert page.table("Chunks")[1] == ["move", "finished", "4", "8", "0"]


def test_the_report_is_one_file_that_anybody_can_read_and_print(moved):
    """No script, nothing from anywhere, and what a screen reader needs."""
    page, text = report(moved)
    assert page.open == []
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form"}
    attributes = {attribute for _, held in page.tags for attribute in held}
    assert not attributes & {"src", "href", "action", "srcset", "data"}
    assert not [attribute for attribute in attributes if attribute.startswith("on")]
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text
    assert "@page" in text
    assert "@media print" in text
    for name, held in page.tags:
        if name == "svg":
            assert held.get("aria-hidden") == "true" or (held["role"] == "img" and held["aria-labelledby"])
        if name == "th":
            assert held["scope"] in ("row", "col")
    assert names >= {"title", "desc", "caption", "main", "h1"}


def test_colours_can_be_told_apart(moved):
    """Contrast of text by the formula of WCAG 2: at least 4.5 on every ground it stands on."""
    _, text = report(moved)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", text))
    for ink in ("ink", "soft", "done", "bad"):
        for ground in (colours["paper"], colours["wash"], "#fdf0f1" if ink == "bad" else colours["wash"]):
            assert contrast(colours[ink], ground) >= 4.5, (ink, ground)
    assert contrast("#9a4408", colours["paper"]) >= 4.5


def contrast(one: str, other: str) -> float:
    lights = sorted(light(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def light(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_same_repository_gives_the_same_file(moved):
    run = moved.site.repository.views.runs(limit=1)[0].id
    first, second = (render_report(make_report(moved.site, run, now=2e9)) for _ in range(2))
    assert first == second


def test_json_says_where_the_file_is_and_whether_everything_holds(moved):
    said = moved.ludb("report", "--job", moved.job, "--json").json
    assert said["file"] == str(moved.folder / f"{said['run']}.html")
    assert said["holds"] is True
    assert (moved.folder / f"{said['run']}.html").is_file()


def test_a_place_that_cannot_be_written_is_a_mistake(moved):
    said = moved.ludb("report", "--job", moved.job, "-o", "nowhere/report.html")
    assert (said.code, "--output" in said.err) == (2, True)


@pytest.fixture(scope="module")
def strange(tmp_path_factory, ready):
    """A run that failed, over a customer whose key is a script; a step's error holds a row value."""
    from tests.acceptance.conftest import Bench

    made = Bench(tmp_path_factory.mktemp("strange"), ready)
    made.database(
        "legacy",
        "create table customers (id text primary key, name text)",
        f"insert into customers values ('{STRANGE}', 'Agnes-4711'), ('plain', 'Berta')",
    )
    made.database("billing", "create table visit (customer text primary key)")
    made.write({
        "job.yaml": """
            name: strange
            systems:
              legacy:  {type: sqlite, url: "${LEGACY_URL}"}
              billing: {type: sqlite, url: "${BILLING_URL}"}
            unit: {root: legacy.customers, key: id}
            settings: {chunk_units: 1, workers: 1, quarantine_limit: 0}
        """,
        "steps/10_visit/billing.visit.py": """
            def transform(unit):
                for row in unit.customers:
                    if "script" in row.id:
                        raise ValueError(f"bad name {row.name}")
                    yield {"customer": row.id}
        """,
        "rules/no_tags.sql": "select unit_key, '<img src=x onerror=alert(2)>' as reason from billing.visit",
    })  # fmt: skip
    made.first = made.ludb("run", made.job, "--json")
    assert made.first.code == 1, made.first.err
    yield made
    made.close()


def test_keys_and_reasons_are_texts_never_tags(strange):
    page, text = report(strange)
    assert "<script" not in text
    assert "<img" not in text
    assert {name for name, _ in page.tags} & {"script", "img"} == set()
    assert STRANGE in page.text


def test_row_values_are_shown_only_to_who_asks_for_them(strange):
    page, text = report(strange)
    assert "4711" not in text
    assert "values of source rows" not in page.text
    opened, _ = report(strange, "--open-values")
    assert "bad name Agnes-4711" in opened.text
    assert "This file holds values of source rows" in opened.text


def test_a_failed_run_says_so_on_top(strange):
    page, _ = report(strange)
    assert "This run is not over. It failed and can go on once the reason is mended." in page.text
    assert page.text.index("quarantined, the limit is 0") < page.text.index("Result")
