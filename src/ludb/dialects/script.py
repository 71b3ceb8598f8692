"""A person's SQL statements for a database server: told apart, their values put in, and looked at without the server."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from ludb.errors import ConfigError

ENDS = frozenset({"begin", "start", "commit", "end", "rollback", "savepoint", "release", "abort", "prepare", "xa"})
"""First words of statements that would end, or part, the transaction that the others run in."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: the line that it begins in, its text, and where values stand in it: (start, end, name)."""

    line: int
    text: str
    holes: tuple[tuple[int, int, str], ...]

    @property
    def word(self) -> str:
        """Its first word, in lower case."""
        found = _NAME.match(self.text)
        return found[0].lower() if found else ""

    def filled(self, values: Mapping[str, object], literal: Callable[[object], str]) -> str:
        """The text with the values in it; `ConfigError` for a name that has none."""
        parts, at = [], 0
        for start, end, name in self.holes:
            if name not in values:
                known = ", ".join(f":{one}" for one in sorted(values)) or "none at all"
                raise ConfigError(f"line {self.line}: there is no value :{name} to bind", remedy=f"There are {known}")
            parts += [self.text[at:start], literal(values[name])]
            at = end
        return "".join([*parts, self.text[at:]])


def statements(script: str, dialect: str) -> Iterator[Statement]:
    """The statements of a script in the words of a server (`postgres`, `mysql`); `ConfigError` with the line of one that does
    not end. Quotes, comments and bodies in dollars are the tokenizer's business.
    """
    try:
        tokens = Dialect.get_or_raise(dialect).tokenize(script)
    except TokenError as error:
        line = script.rstrip().count("\n") + 1
        raise ConfigError("a statement does not end", line=line, remedy="Close its quotes or its comment") from error
    some: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            some.append(token)
        elif some:
            yield _statement(script, some)
            some = []
    if some:
        yield _statement(script, some)


def _statement(script: str, tokens: Sequence[Token]) -> Statement:
    first, last = tokens[0].start, tokens[-1].end + 1
    holes = []
    for before, token in pairwise(tokens):
        name = _NAME.match(script, token.start)
        beside = script[before.start - 1 : before.start] if before.start else ""
        # `a[1:n]` and `x::int` are no values: a value's colon follows a blank, a bracket or an operator.
        if (
            before.token_type is TokenType.COLON
            and name
            and token.start == before.end + 1
            and not re.match(r"[\w\]]", beside)
        ):
            holes.append((before.start - first, name.end() - first, name[0]))
    return Statement(script.count("\n", 0, first) + 1, script[first:last], tuple(holes))


def check(script: str, dialect: str, words: Sequence[str]) -> list[Statement]:
    """The statements, each of which begins with one of `words`; `ConfigError` with the line of one that does not, or that
    would end the transaction.
    """
    found = list(statements(script, dialect))
    for one in found:
        if one.word in ENDS:
            raise ConfigError(
                "the statements run in one transaction of their own", line=one.line, remedy="Leave this statement out"
            )
        if one.word not in words:
            near = difflib.get_close_matches(one.word, words, 1)
            raise ConfigError(
                f"no statement begins with {one.word or one.text[:1]!r}", line=one.line,
                remedy=f"Did you mean {near[0].upper()}?" if near else "Mend the statement",
            )  # fmt: skip
    return found
