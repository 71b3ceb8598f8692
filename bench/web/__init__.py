"""Area `web`: how much the dashboard is, how soon it can be used, and how it draws a large repository."""

from __future__ import annotations

import gzip
import shutil
import statistics
from collections.abc import Iterator
from contextlib import closing

from playwright.sync_api import BrowserContext, sync_playwright

from bench.harness import Bar, Plan, Result, result
from bench.server.fill import BIG, JOB, SECRET, Size, fill
from bench.server.served import ROOT, serving
from bench.web.endure import endure
from bench.web.recorded import remembered
from ludb.repositories.sqlite import SqliteRepository
from ludb.server.routes.dashboard import BUILT

TIMES = 5
"""Loads of the first page, each with an empty cache; the median counts. Others are loaded as often as all that is timed."""
PATIENCE = 60_000
SECONDS = 180.0
"""For which a recorded run is replayed."""
LOADED = (
    "performance.getEntriesByType('resource').map(one => new URL(one.name).pathname).filter(one => one.endsWith('.js'))"
)
READY = """() => { const main = document.querySelector('main'); return main?.querySelector('h1, [data-testid=percent]') &&
    !main.querySelector('[aria-label=loading]') && performance.now() }"""
"""Since when the page can be read and used: its title is there, and nothing of it is awaited."""


def measure(asked: Plan) -> Iterator[Result]:
    """All numbers of the area, in the order of `bench/README.md`. Needs the built dashboard and Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None or not (BUILT / "index.html").is_file():
        asked.tell("web: left out: there is no Chromium (apt-get install chromium), or no built dashboard (make web)")
        return
    size = Size().scaled(asked.scale)
    file = asked.folder / "sqlite" / "repository.sqlite"
    with closing(SqliteRepository(str(file))) as repository:
        asked.tell("web: filling SQLite")
        fill(repository, size)
        with (
            serving(ROOT / "bench" / "job", asked.folder / "web", f"sqlite:///{file}") as served,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])

            def anew() -> BrowserContext:
                context = browser.new_context(bypass_csp=True, extra_http_headers={"Authorization": f"Bearer {SECRET}"})
                context.set_default_timeout(PATIENCE)
                return context

            with anew() as context:
                _load(context, f"{served.url}/")  # the server's own first answers are not the page's
                scripts = _scripts(context, f"{served.url}/")
            yield result("web", "JavaScript of the first page, gzipped", scripts, "kB", bar=Bar("at most", 300))
            for name, path in pages_of(size):
                took = []
                asked.tell(f"web: {name}")
                for _ in range(TIMES if path == "/" else asked.runs):
                    with anew() as context:
                        took.append(_load(context, served.url + path))
                yield result(
                    "web", f"{name}: it can be read and used after", statistics.median(took), "s", bar=Bar("at most", 1)
                )
            browser.close()
    yield from _replayed(asked, size, chromium)


def _replayed(asked: Plan, size: Size, chromium: str) -> Iterator[Result]:
    """A run of which the half is to be done, watched while a recorded one is replayed in it at ten times its pace."""
    file = asked.folder / "replayed" / "repository.sqlite"
    with closing(SqliteRepository(str(file))) as repository:
        fill(repository, size, share=0.5)
        remembered(repository)
    asked.tell(f"web: {SECONDS:.0f} s of a recorded run at ten times its pace")
    with (
        serving(ROOT / "bench" / "job", asked.folder / "watched", f"sqlite:///{file}") as served,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(bypass_csp=True, extra_http_headers={"Authorization": f"Bearer {SECRET}"})
        page = context.new_page()
        page.goto(f"{served.url}/runs/{BIG}")
        page.wait_for_function(READY, polling="raf", timeout=PATIENCE)
        found = endure(page, file, SECONDS)
        browser.close()
    name = "ten times the pace: "
    yield result("web", f"{name}the longest task of the page", found.longest, "ms", bar=Bar("at most", 100))
    yield result("web", f"{name}the dearest task, processor time", found.dearest, "ms", bar=Bar("at most", 100))
    yield result("web", f"{name}memory, last third", found.heap_at_end, "MB", against=found.heap_at_first,
                 bar=Bar("at most", 1.1, "ratio"))  # fmt: skip


def pages_of(size: Size) -> list[tuple[str, str]]:
    """Every page by its name, with its address in a repository of this size."""
    aside = 100_000 + size.units // 400 * 200
    big = f"/runs/{BIG}"
    return [
        ("overview", "/"),
        ("run", big),
        *((f"run, {tab}", f"{big}?tab={tab}") for tab in ("workers", "systems", "quarantine", "events", "settings")),
        ("quarantine", "/quarantine"),
        ("quarantine of a run", f"/quarantine?run={BIG}"),
        ("unit", f"/units/{JOB}/{aside}"),
        ("compare", f"{big}/compare/run-00001"),
        ("wall", f"{big}/wall"),
        *((name, f"/{name}") for name in ("calls", "history", "systems", "alerts", "schedules", "audit", "users")),
        *((name, f"/{name}") for name in ("settings", "launch")),
    ]


def _load(context: BrowserContext, address: str) -> float:
    """Seconds from the navigation until the page is ready."""
    page = context.new_page()
    page.goto(address, wait_until="commit")
    took = float(page.wait_for_function(READY, polling="raf").json_value())
    page.close()
    return took / 1000


def _scripts(context: BrowserContext, address: str) -> float:
    """Kilobytes of the built files that the browser asks for until the page is ready."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(READY)
    names = set(page.evaluate(LOADED))
    page.close()
    return sum(len(gzip.compress((BUILT / name.lstrip("/")).read_bytes(), 9)) for name in names) / 1000
