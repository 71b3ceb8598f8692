"""The rules of the house, as tests: what a reader of this repository may rely on everywhere."""

from __future__ import annotations

import ast
import gc
import os
import re
import subprocess
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "ludb").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LONGEST_FILE, LONGEST_FUNCTION, MOST_METHODS = 400, 50, 8
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "manager"}
STATES = {"LudbError", "ConfigErrors"}
"""Errors that name no further thing that happens next: the root, and several of one kind."""
HOSTS = ("py" + "pi.org", "python" + "hosted", "npm" + "js.", "crates" + ".io", "proxy." + "golang", "repo" + ".maven")
MACHINE = re.compile(r"(?<![\w./$}:])/(?:root|home/\w+|work|Users/\w+)/" + r"\w|/tmp/" + r"w\b")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def files() -> list[Path]:
    """The repository's files: those git knows or would add; without git, all that are not made by a tool."""
    listing = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.splitlines()
        found = [ROOT / name for name in names]
    except (OSError, subprocess.CalledProcessError):
        made = {".venv", ".cache", ".git", "build", "dist"}
        found = [path for path in ROOT.rglob("*") if not made & set(path.relative_to(ROOT).parts)]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


@cache
def parsed(path: Path) -> ast.Module:
    gc.disable()  # a traceback printed by the collector in the middle spoils it: python/cpython#106905, before 3.11.8
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.enable()


def public(node: ast.Module | ast.ClassDef, inside: str = ""):
    """Public classes, functions and methods: (qualified name, node)."""
    for child in node.body:
        if isinstance(child, ast.ClassDef | Function) and not child.name.startswith("_"):
            yield f"{inside}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{inside}{child.name}.")


def is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0] in ("Protocol", "typing.Protocol") for base in node.bases)


def is_property(node: ast.stmt) -> bool:
    return isinstance(node, Function) and any(ast.unparse(word) == "property" for word in node.decorator_list)


def is_empty_property(node: ast.stmt) -> bool:
    """A port's `@property` whose body is `...`: its type is all there is to say."""
    return is_property(node) and isinstance(node.body[0], ast.Expr) and ast.unparse(node.body[0]) == "..."  # type: ignore[attr-defined]


def words(text: str) -> str:
    return re.sub(r"[^a-z]+", "", text.lower())


def test_no_file_is_longer_than_a_reader_s_patience():
    code = [path for path in files() if path.suffix == ".py"]
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in code}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen():
    long = {}
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, Function) and node.end_lineno and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION:
                long[f"{name_of(path)}:{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1
    assert long == {}


def test_no_protocol_asks_for_more_than_eight_methods():
    wide = {}
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef) and is_protocol(node):
                count = sum(isinstance(child, Function) and not is_property(child) for child in node.body)
                if count > MOST_METHODS:
                    wide[f"{name_of(path)} {node.name}"] = count
    assert wide == {}


def test_no_module_is_named_after_nothing():
    named = [path for path in files() if path.suffix == ".py" and FORBIDDEN_NAMES & {path.stem, path.parent.name}]
    assert [name_of(path) for path in named] == []


def test_every_public_name_has_a_docstring_that_says_more_than_the_name():
    silent = []
    for path in SOURCES:
        for name, node in public(parsed(path)):
            text = ast.get_docstring(node) or ""
            first = text.split("\n", maxsplit=1)[0]
            if not is_empty_property(node) and (not first or words(first) == words(node.name)):
                silent.append(f"{name_of(path)}:{node.lineno} {name}")
    assert silent == []


def test_every_error_says_in_a_sentence_what_happens_next():
    module = parsed(ROOT / "src" / "ludb" / "errors.py")
    errors = {name: node for name, node in public(module) if isinstance(node, ast.ClassDef) and "." not in name}
    raised = {name: node for name, node in errors.items() if node.bases}
    for name, node in raised.items():
        sentence = (ast.get_docstring(node) or "").split("\n\n")[0]
        assert len(sentence.split()) >= 5, f"{name}: {sentence!r}"
        assert sentence.endswith("."), f"{name}: {sentence!r}"
    table = ast.get_docstring(module) or ""
    assert {name for name in raised if f"| `{name}` |" not in table} == STATES


@pytest.mark.parametrize("group", sorted(PROJECT["project"]["entry-points"]))
def test_every_entry_point_leads_to_a_class_in_a_module_of_its_name(group):
    for name, value in PROJECT["project"]["entry-points"][group].items():
        module, _, attribute = value.partition(":")
        assert isinstance(getattr(import_module(module), attribute), type), value
        if group != "ludb.steps":  # there the name is the file's ending
            assert module.rpartition(".")[2] == name, value


def test_no_file_names_a_package_host_or_a_folder_of_one_machine():
    found = []
    for path in files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{name_of(path)}: {host}" for host in HOSTS if host in text]
        found += [f"{name_of(path)}: {place[0]}" for place in MACHINE.finditer(text)]
    assert found == []


def test_every_dependency_has_a_reason():
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    project = PROJECT["project"]
    wanted = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    named = {re.split(r"[\[<>=!~; ]", line)[0] for line in wanted} - {"ludb"}
    assert {name for name in named if f"`{name}`" not in page} == set()


def test_the_lock_pins_every_dependency_by_hash_and_names_no_host():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert not [line for line in lock.splitlines() if line.startswith("-")]
    pins = re.findall(r"^([a-z0-9._-]+)==[^\s\\]+[^\n]*\\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", lock, re.MULTILINE))
    project = PROJECT["project"]
    wanted = {
        re.split(r"[\[<>=!~; ]", line)[0]
        for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    }
    assert {name.replace(".", "-") for name in wanted} - {"ludb"} <= {name.replace(".", "-") for name in pins}


def test_bare_make_lists_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(["make"], cwd=ROOT, env=plain, check=True, capture_output=True, text=True).stdout
    assert {line.split()[1] for line in shown.splitlines()} == targets
    assert {"demo", "test", "check", "clean"} <= targets
    assert set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()) == targets


def test_continuous_integration_runs_what_a_developer_runs():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "make check"


def test_no_layer_has_a_list_of_exceptions():
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    assert [contract["name"] for contract in contracts if "ignore_imports" in contract] == []


def test_every_lint_rule_that_is_off_says_why():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lint = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]
    off = [line for line in lint.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert off
    assert [line for line in off if "#" not in line] == []


def test_the_package_is_typed_for_those_who_use_it():
    assert (ROOT / "src" / "ludb" / "py.typed").is_file()
