"""Constraints between hyperparameters, as Python functions or as readable expressions.

An expression such as ``"filters * depth <= 512"`` travels with the space's JSON and is
evaluated over its syntax tree, never by ``eval``. A function cannot travel: a space read
back from JSON holds its description and refuses to sample until it is given again.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ripieno.errors import SpaceError
from ripieno.space.config import Config

__all__ = ["Constraint"]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    # A bounded exponent: `9 ** 9 ** 9` in a file must not stop the reader.
    ast.Pow: lambda base, exponent: base ** min(exponent, 64),
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule that every config of a space keeps.

    Args:
        rule: A function of the config, an expression over hyperparameter names, or None
            for a function that was lost when the space was written to JSON.
        description: What a message says when the rule is broken.

    An expression that names an inactive hyperparameter holds.
    """

    rule: Callable[[Config], bool] | str | None
    description: str

    def __post_init__(self) -> None:
        if isinstance(self.rule, str):
            _parse(self.rule)

    @property
    def expression(self) -> str | None:
        """The rule as text, or None where it is a function."""
        return self.rule if isinstance(self.rule, str) else None

    def holds(self, config: Config) -> bool:
        """Say whether the config keeps the rule."""
        if self.rule is None:
            raise SpaceError(
                f"the constraint {self.description!r} is a function, and functions are not "
                "stored with a space.",
                where="Space.from_json",
                fix="pass the original space, or write the rule as an expression: "
                'space.where("filters * depth <= 512").',
            )
        if isinstance(self.rule, str):
            tree = _parse(self.rule)
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            return not names <= set(config) or bool(_evaluate(tree, config))
        return bool(self.rule(config))


def _parse(expression: str) -> ast.expr:
    try:
        tree = ast.parse(expression, mode="eval").body
        for node in ast.walk(tree):
            _check(node)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise SpaceError(
            f"the constraint {expression!r} cannot be read: {error}.",
            where="Space.where",
            fix="use names, numbers, strings, + - * / // % **, comparisons, and, or, not.",
        ) from error
    return tree


def _check(node: ast.AST) -> None:
    allowed = (
        ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Name, ast.Constant,
        ast.Load, ast.And, ast.Or, *_BINARY, *_UNARY, *_COMPARE,
    )  # fmt: skip
    if not isinstance(node, allowed):
        raise ValueError(f"{type(node).__name__} is not allowed")  # noqa: TRY004 - a bad text


def _evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, names), _evaluate(right, names))
        case ast.UnaryOp(op=unary, operand=operand):
            return _UNARY[type(unary)](_evaluate(operand, names))
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_evaluate(value, names) for value in values)
        case ast.BoolOp(values=values):
            return any(_evaluate(value, names) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_evaluate(side, names) for side in (left, *comparators)]
            return all(
                _COMPARE[type(op)](a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False)
            )
    raise AssertionError(f"unchecked node {node!r}")
