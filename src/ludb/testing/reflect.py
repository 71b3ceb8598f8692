"""The contract suite of sources that know their own tables. Subclass it and say how a database is made:

class TestMine(ReflectContract):
    @pytest.fixture
    def reflected(self, tmp_path):
        def reflected(statements): ...   # Sequence[str] of plain SQL -> a source over the database that they made
        return reflected
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ludb.model.shape import ForeignKey, TableShape
from ludb.model.unit import TableRef, UnitTable
from ludb.ports.source import CanReflect, Source

Reflect = Callable[[Sequence[str]], Any]
"""Makes a source over a new database in which these statements were run."""

_SCRIPT = """
CREATE TABLE people (person_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40), boss INTEGER,
    FOREIGN KEY (boss) REFERENCES people (person_id));
CREATE TABLE orders (shop INTEGER NOT NULL, order_no INTEGER NOT NULL, person_id INTEGER NOT NULL,
    PRIMARY KEY (shop, order_no), FOREIGN KEY (person_id) REFERENCES people (person_id));
CREATE TABLE order_lines (line_no INTEGER NOT NULL, in_order INTEGER NOT NULL, in_shop INTEGER NOT NULL,
    PRIMARY KEY (in_shop, in_order, line_no),
    FOREIGN KEY (in_shop, in_order) REFERENCES orders (shop, order_no));
CREATE TABLE tariffs (code VARCHAR(8) NOT NULL UNIQUE, name VARCHAR(40));
CREATE TABLE notes (person_id INTEGER, note VARCHAR(40));
CREATE VIEW bosses AS SELECT person_id FROM people WHERE boss IS NULL;
INSERT INTO people VALUES (1, 'Ann', NULL);
INSERT INTO people VALUES (2, 'Bo', 1)
"""
ESTATE = tuple(_SCRIPT.strip().split(";\n"))
"""Plain SQL that every database understands."""


class ReflectContract:
    """What a source promises that says which tables it has."""

    def test_a_proposal_sees_every_table_and_tells_views_apart(self, reflected: Reflect) -> None:
        """A view among the tables would be moved twice."""
        found = self._shapes(reflected)
        assert list(found) == ["bosses", "notes", "order_lines", "orders", "people", "tariffs"]
        assert [name for name, shape in found.items() if shape.view] == ["bosses"]

    def test_columns_are_those_that_a_run_will_read(self, reflected: Reflect) -> None:
        """A step written from other columns would not bind."""
        source = reflected(ESTATE)
        assert isinstance(source, Source)
        assert isinstance(source, CanReflect)
        for shape in source.tables():
            table = UnitTable(shape.name, TableRef("legacy", shape.name))
            assert [(c.name, c.type) for c in shape.columns] == [(c.name, c.type) for c in source.columns(table)]

    def test_keys_come_in_their_own_order_and_a_unique_column_stands_in_for_one(self, reflected: Reflect) -> None:
        """A composite key in another order names other units."""
        found = self._shapes(reflected)
        assert found["people"].key == ("person_id",)
        assert found["orders"].key == ("shop", "order_no")
        assert found["order_lines"].key == ("in_shop", "in_order", "line_no")
        assert found["tariffs"].key == ("code",)
        assert found["notes"].key == ()

    def test_foreign_keys_pair_the_columns_that_belong_together(self, reflected: Reflect) -> None:
        """A link whose columns are crossed finds the rows of strangers."""
        found = self._shapes(reflected)
        assert found["orders"].foreign_keys == (ForeignKey(("person_id",), "people", ("person_id",)),)
        (composite,) = found["order_lines"].foreign_keys
        assert composite.parent == "orders"
        pairs = set(zip(composite.columns, composite.parent_columns, strict=True))
        assert pairs == {("in_shop", "shop"), ("in_order", "order_no")}

    def test_a_self_reference_is_a_foreign_key_like_any_other(self, reflected: Reflect) -> None:
        """It becomes `recursive:`."""
        assert self._shapes(reflected)["people"].foreign_keys == (ForeignKey(("boss",), "people", ("person_id",)),)

    def test_row_counts_are_never_negative_and_an_empty_database_has_no_tables(self, reflected: Reflect) -> None:
        """Some catalogues say -1 for what they have not counted yet."""
        assert not [s.name for s in self._shapes(reflected).values() if s.rows is not None and s.rows < 0]
        assert list(reflected(()).tables()) == []

    @staticmethod
    def _shapes(reflected: Reflect) -> dict[str, TableShape]:
        source = reflected(ESTATE)
        assert isinstance(source, CanReflect)
        return {shape.name: shape for shape in source.tables()}
