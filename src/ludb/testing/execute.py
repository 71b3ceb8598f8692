"""The contract suite of targets that run a person's statements (`CanExecute`); used beside `TargetContract`."""

from __future__ import annotations

from typing import Any

import pytest

from ludb.errors import ConfigError
from ludb.ports.execute import CanExecute
from ludb.testing.target import Reopen, stored


class ExecuteContract:
    """A hook's text runs whole or not at all, and what is wrong with it is named by its line."""

    @pytest.fixture
    def able(self, reopen: Reopen) -> Any:
        """The target, as it is before any run."""
        target = reopen()
        assert isinstance(target, CanExecute)
        return target

    def test_statements_run_in_order_with_values_and_unused_values_do_no_harm(self, able: Any) -> None:
        """Comments, a quoted semicolon, no semicolon at the end."""
        script = (
            "-- one\ninsert into account (id, name) values (1, :word);\n\n/* two; */ update account set id = id + :n"
        )
        able.execute(script, {"word": "a;b", "n": 6, "other": "x"})
        assert stored(able) == [7]

    def test_a_statement_that_fails_undoes_those_before_it_and_is_named_by_its_line(self, able: Any) -> None:
        """Otherwise a hook that is tried again would find half of itself done."""
        script = "insert into account (id, name) values (1, 'a');\n\ninsert into nowhere values (1);\n"
        with pytest.raises(ConfigError, match=r"line 3.*nowhere"):
            able.execute(script, {})
        assert stored(able) == []

    def test_a_value_that_nobody_gave_is_a_mistake(self, able: Any) -> None:
        """A misspelt parameter must not become NULL."""
        with pytest.raises(ConfigError, match=r"wrod|bind"):
            able.execute("insert into account (id, name) values (1, :wrod)", {"word": "a"})
        assert stored(able) == []

    @pytest.mark.parametrize(
        ("script", "line"),
        [
            ("select 1;\n\nselec 2;", 3),
            ("select 1;\nselect 'x", 2),
            ("-- nothing\ncommit;", 2),
        ],
    )
    def test_a_text_that_cannot_run_is_refused_without_a_system(self, able: Any, script: str, line: int) -> None:
        """`ludb check` reaches nobody."""
        with pytest.raises(ConfigError) as caught:
            type(able).check_script(script)
        assert caught.value.line == line

    @pytest.mark.parametrize("script", ["", "-- nothing", "select * from not_here where id = :n;", "select ';'; ;"])
    def test_a_text_that_may_run_is_let_through(self, able: Any, script: str) -> None:
        """Tables and values are not looked up."""
        type(able).check_script(script)
