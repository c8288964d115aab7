"""Constraints between hyperparameters, as Python functions or as readable expressions.

An expression such as ``"filters * depth <= 512"`` travels with the space's JSON and is
evaluated over its syntax tree, never by ``eval``. A function cannot travel: a space read
back from JSON holds its description and refuses to sample until it is given again.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ripieno.errors import SpaceError
from ripieno.space.config import Config

__all__ = ["Constraint"]

# Whole numbers that need more bits are refused: `9 ** 9 ** 9` in a file must not stop its
# reader.
_BITS = 4096


def _power(base: Any, exponent: Any) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and base.bit_length() * exponent > _BITS:
        raise OverflowError("the power is too large")
    return base**exponent


_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
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
    _tree: ast.expr | None = field(init=False, repr=False, compare=False)
    _names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (self.rule is None or isinstance(self.rule, str) or callable(self.rule)):
            raise SpaceError(
                f"the constraint {self.rule!r} is neither a function nor an expression.",
                where="Space.where",
                fix='pass a function of the config, or a text such as "filters * depth <= 512".',
            )
        # Parsed once: a rule is asked for every config that is drawn.
        tree = _parse(self.rule) if isinstance(self.rule, str) else None
        names = ast.walk(tree) if tree is not None else ()
        object.__setattr__(self, "_tree", tree)
        object.__setattr__(
            self, "_names", frozenset(node.id for node in names if isinstance(node, ast.Name))
        )

    def __reduce__(self) -> tuple[object, ...]:
        # Parsed again on arrival: a syntax tree is longer than its text.
        return Constraint, (self.rule, self.description)

    @property
    def names(self) -> frozenset[str]:
        """The hyperparameters that an expression speaks of; none of a function."""
        return self._names

    @property
    def expression(self) -> str | None:
        """The rule as text, or None where it is a function."""
        return self.rule if isinstance(self.rule, str) else None

    def holds(self, config: Config) -> bool:
        """Say whether the config keeps the rule.

        Raises:
            SpaceError: The rule was lost, or an expression cannot be worked out for this
                config. What a function raises is its author's and is passed on.
        """
        if self._tree is not None:
            return not self._names <= config.keys() or self._work_out(self._tree, config)
        if callable(self.rule):
            return bool(self.rule(config))
        raise SpaceError(
            f"the constraint {self.description!r} is a function, and functions are not "
            "stored with a space.",
            where="Space.from_json",
            fix="pass the original space, or write the rule as an expression: "
            'space.where("filters * depth <= 512").',
        )

    def _work_out(self, tree: ast.expr, config: Config) -> bool:
        try:
            return bool(_evaluate(tree, config))
        except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
            raise SpaceError(
                f"the constraint {self.rule!r} cannot be worked out: {error}.",
                where=repr(config),
                fix="compare numbers with numbers, and divide by nothing that can be 0.",
            ) from error


def _parse(expression: str) -> ast.expr:
    try:
        tree = ast.parse(expression, mode="eval").body
        for node in ast.walk(tree):
            _check(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
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
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str | None):
        raise ValueError(f"{node.value!r} is not allowed")  # noqa: TRY004 - a bad text


def _evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _calculate(_BINARY[type(op)], _evaluate(left, names), _evaluate(right, names))
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


def _calculate(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    # A text can be multiplied and added too, without end; and `%` would format it.
    if isinstance(left, str) or isinstance(right, str):
        raise TypeError("texts can be compared, not calculated with")
    return operation(left, right)
