import copy
import pickle

import pytest

from ripieno.errors import SpaceError
from ripieno.space import Config, Constraint

CONFIG = Config({"filters": 16, "depth": 4, "lr": 0.1, "optimizer": "sgd", "bias": True})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("filters * depth <= 64", True),
        ("filters * depth < 64", False),
        ("filters + depth - 1 == 19", True),
        ("filters / 3 > 5.3", True),
        ("filters // 3 == 5", True),
        ("filters % 3 != 1", False),
        ("depth ** 2 == 16", True),
        ("2 ** -1 == 0.5", True),
        ("2 ** 100 > 10 ** 30", True),
        ("-lr < 0", True),
        ("not bias", False),
        ("optimizer == 'sgd' and lr >= 0.1", True),
        ("optimizer == 'adam' or depth == 4", True),
        ("1 <= depth <= 4 < filters", True),
        ("1 <= depth <= 3 < filters", False),
    ],
)
def test_an_expression_means_what_it_means_in_python(expression, expected):
    assert Constraint(expression, expression).holds(CONFIG) is expected
    assert bool(eval(expression, {}, dict(CONFIG))) is expected  # noqa: S307 - the reference


def test_an_expression_about_an_inactive_hyperparameter_holds():
    assert Constraint("momentum < 0.5", "").holds(CONFIG)


def test_a_function_is_called_with_the_config():
    constraint = Constraint(lambda config: config.filters * config.depth <= 60, "small")
    assert not constraint.holds(CONFIG)
    assert constraint.expression is None


def test_what_a_function_raises_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        Constraint(lambda config: config.depth / 0 > 1, "").holds(CONFIG)


def test_a_lost_function_is_said_to_be_lost():
    with pytest.raises(SpaceError, match="'small' is a function, and functions are not stored"):
        Constraint(None, "small").holds(CONFIG)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "filters *",
        "__import__('os').system('true')",
        "filters.bit_length() > 3",
        "[1, 2]",
        "lambda: 1",
        "filters if depth else 1",
        "(filters := 3)",
        "b'x' == filters",
        "1j == filters",
        "... == filters",
        "filters & depth",
        "~filters",
        "f'{filters}'",
        "\0",
        "(" * 500 + "1" + ")" * 500,
        "-" * 20_000 + "1",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_anything_but_plain_arithmetic_is_refused_when_it_is_written(expression):
    with pytest.raises(SpaceError, match="cannot be read"):
        Constraint(expression, "")


@pytest.mark.parametrize(
    "expression",
    [
        "filters / (depth - 4) > 1",
        "filters ** filters ** filters > 1",
        "(9 ** 99) ** 99 > filters",
        "10.0 ** 400 > filters",
        "optimizer < 3",
        "optimizer * 3 == 'sgdsgdsgd'",
        "'%999999999d' % filters == ''",
        "optimizer + 'x' == 'sgdx'",
        "1" + "+ 1" * 3_000 + "> filters",
    ],
    ids=lambda text: text[:20],
)
def test_what_cannot_be_worked_out_is_said_with_the_config(expression):
    with pytest.raises(SpaceError, match=r"cannot be (worked out|read)") as caught:
        Constraint(expression, "").holds(CONFIG)
    assert caught.value.where in {repr(CONFIG), "Space.where"}


@pytest.mark.parametrize("rule", [3, [1], True])
def test_a_rule_that_is_neither_a_function_nor_a_text_is_refused(rule):
    with pytest.raises(SpaceError, match="neither a function nor an expression"):
        Constraint(rule, "")


def test_constraints_are_equal_by_rule_and_description_and_survive_pickle():
    constraint = Constraint("filters > 3", "wide")
    assert constraint == Constraint("filters > 3", "wide")
    assert constraint != Constraint("filters > 4", "wide")
    unpickled = pickle.loads(pickle.dumps(constraint))  # noqa: S301 - our own bytes
    for twin in (unpickled, copy.deepcopy(constraint)):
        assert twin == constraint
        assert twin.holds(CONFIG)
