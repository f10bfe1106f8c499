r"""The text form of filters: a recursive-descent parser.

    filter   := both ("or" both)*
    both     := negation ("and" negation)*
    negation := "not" negation | "(" filter ")" | test
    test     := field ( operator value
                      | ["not"] "in" "(" value ("," value)* ")"
                      | ["not"] "between" value "and" value
                      | ["not"] "exists" )
    operator := "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
    field    := word | "`" any text "`"
    value    := word | number | "true" | "false" | date | '"' text '"' | "'" text "'"

A word is made of letters, digits and `_ - .`; keywords are read in any case. Quoted text takes the
escapes `\n \r \t \\ \" \'`. A date is `2024-01-31` or `2024-01-31T10:00:00Z`.
"""

from __future__ import annotations

from collections.abc import Callable

from kokeshi.errors import FilterError
from kokeshi.filters.literals import Value
from kokeshi.filters.model import (
    MAX_DEPTH,
    And,
    Between,
    Comparison,
    Exists,
    Filter,
    In,
    Not,
    Or,
)
from kokeshi.filters.tokens import Token, syntax_error, tokenize

_OPERATORS = "an operator (= != < <= > >=), 'in', 'between' or 'exists'"


def parse_filter(text: str) -> Filter:
    """Read the text form of a filter; `not` binds tighter than `and`, `and` tighter than `or`.

    Raises:
        FilterError: the message names the column, what was expected there, and shows the place.

    >>> parse_filter("price < 50 and gender in (women, 'girls')")
    And(operands=(Comparison(field='price', op='<', value=50), \
In(field='gender', values=('women', 'girls'))))
    """
    return _Parser(text).parse()


class _Parser:
    """One pass over the tokens; `depth` counts the open parentheses and negations."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokenize(text))
        self.position = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        """The token to read next; the last one is of kind `end`."""
        return self.tokens[self.position]

    def parse(self) -> Filter:
        if len(self.tokens) == 1:
            raise self.error(self.next, "the filter is empty: write one such as price < 50")
        found = self.either()
        if self.next.kind != "end":
            raise self.trailing()
        return found

    def either(self) -> Filter:
        start = self.next
        operands = [self.both()]
        while self.accept("or"):
            operands.append(self.both())
        return operands[0] if len(operands) == 1 else self.build(start, Or, tuple(operands))

    def both(self) -> Filter:
        start = self.next
        operands = [self.negation()]
        while self.accept("and"):
            operands.append(self.negation())
        return operands[0] if len(operands) == 1 else self.build(start, And, tuple(operands))

    def negation(self) -> Filter:
        opening = self.next
        if opening.kind != "(" and not opening.is_keyword("not"):
            return self.test()
        self.position += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(opening, f"a filter may nest {MAX_DEPTH} levels deep, not more")
        found = self.group(opening) if opening.kind == "(" else self.negated(opening)
        self.depth -= 1
        return found

    def negated(self, opening: Token) -> Filter:
        return self.build(opening, Not, self.negation())

    def group(self, opening: Token) -> Filter:
        found = self.either()
        if self.next.kind == "end":
            raise self.error(opening, "this '(' is never closed: add ')'")
        if self.next.kind != ")":
            raise self.trailing()
        self.position += 1
        return found

    def test(self) -> Filter:
        name = self.take()
        field = self.field(name)
        if self.next.kind == "operator":
            operator = self.take()
            value = self.value(f"a value after {operator}")
            return self.build(name, Comparison, field, operator.value, value)
        negated = self.accept("not")
        found = self.worded(name, field)
        return self.build(name, Not, found) if negated else found

    def worded(self, name: Token, field: str) -> Filter:
        if self.accept("in"):
            return self.build(name, In, field, self.values())
        if self.accept("between"):
            low = self.value("the lower value after 'between'")
            if not self.accept("and"):
                raise self.error(self.next, f"expected 'and' and the upper value, not {self.next}")
            return self.build(name, Between, field, low, self.value("the upper value"))
        if self.accept("exists"):
            return self.build(name, Exists, field)
        raise self.missing_operator(name)

    def field(self, name: Token) -> str:
        if name.kind == "field" or (name.kind == "word" and isinstance(name.value, str)):
            return str(name.value)
        problem = f"expected a field name, not {name}"
        if name.kind == "keyword" and self.next.kind in ("operator", "keyword"):
            problem += f": a field called so is written `{name.text}`"
        elif name.kind in ("word", "string"):
            problem += f": the field comes first; one called so is written `{name.value}`"
        raise self.error(name, problem)

    def values(self) -> tuple[Value, ...]:
        opening = self.take()
        if opening.kind != "(":
            raise self.error(opening, f"expected '(' and the values after 'in', not {opening}")
        found = [self.value("a value")]
        while self.next.kind == ",":
            self.position += 1
            found.append(self.value("a value after ','"))
        if self.next.kind != ")":
            raise self.error(self.next, f"expected ',' or ')', not {self.next}")
        self.position += 1
        return tuple(found)

    def value(self, expected: str) -> Value:
        token = self.take()
        if token.kind in ("word", "string"):
            return token.value
        problem = f"expected {expected}, not {token}"
        if token.kind == "keyword":
            problem += f": to mean the text, write '{token.text}' in quotation marks"
        raise self.error(token, problem)

    def accept(self, keyword: str) -> bool:
        found = self.next.is_keyword(keyword)
        self.position += found
        return found

    def take(self) -> Token:
        token = self.next
        self.position += token.kind != "end"
        return token

    def build(self, token: Token, make: Callable[..., Filter], *parts: object) -> Filter:
        try:
            return make(*parts)
        except FilterError as error:
            raise self.error(token, str(error)) from error

    def missing_operator(self, name: Token) -> FilterError:
        problem = f"expected {_OPERATORS} after {name}, not {self.next}"
        if self.next.kind in ("word", "string"):
            problem += f": did you mean {name.text} = {self.next.text}?"
        return self.error(self.next, problem)

    def trailing(self) -> FilterError:
        token = self.next
        if token.kind == ")" and not self.depth:
            return self.error(token, "this ')' closes nothing: remove it or add '('")
        wanted = "'and', 'or' or ')'" if self.depth else "'and', 'or' or the end"
        problem = f"expected {wanted}, not {token}"
        if token.kind == "operator":
            problem += ": for a range write: field between low and high"
        elif token.kind in ("word", "string"):
            problem += ": put text of several words in quotation marks"
        return self.error(token, problem)

    def error(self, token: Token, problem: str) -> FilterError:
        return syntax_error(self.text, token.start, problem)
