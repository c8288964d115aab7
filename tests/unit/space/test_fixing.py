import numpy as np
import pytest

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Constant, Float, Int, Space

SPACE = Space(
    optimizer=Categorical("adam", "sgd"),
    lr=Float(1e-4, 0.3, log=True, default=2e-3),
    momentum=Float(0.0, 0.99, default=0.9).when(optimizer="sgd"),
    nesterov=Categorical(False, True).when(momentum=0.9),
    width=Int(8, 64),
).where("optimizer == 'sgd' or lr <= 0.03", "adam needs lr <= 0.03")


def test_a_fixed_hyperparameter_has_one_value_and_is_not_searched():
    fixed = SPACE.fix(lr=0.01, width=32)
    assert fixed["lr"] == Constant(0.01)
    assert "lr" not in fixed.searched
    configs = fixed.sample(np.random.default_rng(0), 20)
    assert {(config.lr, config.width) for config in configs} == {(0.01, 32)}
    assert {config.optimizer for config in configs} == {"adam", "sgd"}
    assert SPACE["width"] == Int(8, 64)


def test_it_keeps_its_conditions_and_what_can_no_longer_be_active_is_left_out():
    with_momentum = SPACE.fix(momentum=0.5)
    assert with_momentum["momentum"] == Constant(0.5, conditions=(("optimizer", ("sgd",)),))
    assert "nesterov" not in with_momentum  # it hung on another momentum
    adam = SPACE.fix(optimizer="adam")
    assert list(adam) == ["optimizer", "lr", "width"]
    sgd = SPACE.fix(optimizer="sgd").default()
    assert (sgd.momentum, sgd.nesterov) == (0.9, False)


def test_names_of_choices_beside_the_fixed_one_are_dropped_from_conditions():
    space = Space(kind=Categorical("a", "b", "c"), x=Float(0.0, 1.0).when(kind=("a", "b")))
    assert space.fix(kind="b")["x"].conditions == (("kind", ("b",)),)


def test_new_names_are_added_and_numbers_take_the_type_of_the_domain():
    fixed = SPACE.fix({"label_smoothing": 0.1}, lr=1, width=16.0)
    assert list(fixed)[-1] == "label_smoothing"
    assert (fixed["lr"].value, type(fixed["lr"].value)) == (1.0, float)
    assert type(fixed["width"].value) is int


def test_a_rule_that_fixed_values_break_among_themselves_gives_way_and_others_stay():
    both = SPACE.fix(lr=0.2, optimizer="adam")
    assert both.default().lr == 0.2
    alone = SPACE.fix(lr=0.2)
    configs = alone.sample(np.random.default_rng(0), 20)
    assert {config.optimizer for config in configs} == {"sgd"}


def test_a_fixed_space_survives_json():
    fixed = SPACE.fix(lr=0.01, momentum=0.5, loss=None)
    assert Space.from_json(fixed.to_json()) == fixed


def test_what_can_never_be_active_cannot_be_fixed():
    with pytest.raises(
        SpaceError, match="'momentum' has no effect: it is active only for"
    ) as found:
        SPACE.fix(optimizer="adam", momentum=0.5)
    assert "leave 'momentum' out" in found.value.fix
