import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ripieno.schedulers.explore import explore
from ripieno.space import Categorical, Config, Float, Int, Space
from ripieno.testing import example_spaces

SPACE = Space(
    lr=Float(1e-4, 1.0, log=True),
    momentum=Float(0.0, 0.9, step=0.1),
    width=Int(8, 128, step=8),
    depth=Int(1, 4),
    optimizer=Categorical("sgd", "adam"),
)
START = SPACE.config(lr=0.01, momentum=0.5, width=64, depth=2, optimizer="adam")


def many(config=START, *, space=SPACE, changed=None, resample=0.0, count=60):
    return [
        explore(
            space,
            config,
            changed=space if changed is None else changed,
            resample=resample,
            rng=np.random.default_rng(seed),
        )
        for seed in range(count)
    ]


def test_perturbed_numbers_are_four_fifths_or_six_fifths_of_what_they_were():
    explored = many()
    assert {config.lr for config in explored} == {0.008, 0.012}
    assert {config.momentum for config in explored} == {0.4, 0.6}
    assert {config.width for config in explored} == {48, 80}  # 51.2 and 76.8, on steps of 8
    assert {config.depth for config in explored} == {1, 3}  # by one at least
    assert {config.optimizer for config in explored} == {"adam"}


def test_perturbed_numbers_stay_in_their_range():
    edge = SPACE.config(lr=0.9, momentum=0.9, width=128, depth=4, optimizer="sgd")
    assert {config.lr for config in many(edge)} == {0.72, 1.0}
    assert {config.width for config in many(edge)} == {104, 128}
    assert {config.depth for config in many(edge)} == {3, 4}


def test_what_may_not_change_does_not():
    explored = many(changed={"lr"}, resample=0.5)
    assert {(c.momentum, c.width, c.depth, c.optimizer) for c in explored} == {(0.5, 64, 2, "adam")}
    assert len({config.lr for config in explored}) > 10
    assert set(many(changed=(), resample=1.0)) == {START}


def test_a_hyperparameter_is_drawn_anew_with_the_given_probability():
    fresh = sum(config.lr not in {0.008, 0.012} for config in many(resample=0.25, count=800))
    assert fresh / 800 == pytest.approx(0.25, abs=0.05)
    assert {config.optimizer for config in many(resample=1.0)} == {"sgd", "adam"}


def test_a_child_that_becomes_active_is_drawn_anew():
    space = Space(
        optimizer=Categorical("sgd", "adam"), momentum=Float(0.0, 1.0).when(optimizer="sgd")
    )
    explored = many(space.config(optimizer="adam"), space=space, resample=1.0)
    assert len({config.momentum for config in explored if config.optimizer == "sgd"}) > 10
    assert any("momentum" not in config for config in explored)


def test_a_config_that_cannot_change_within_the_constraints_stays():
    space = Space(depth=Int(1, 9)).where("depth == 5")
    assert set(many(Config({"depth": 5}), space=space)) == {Config({"depth": 5})}


@given(st.sampled_from(sorted(example_spaces())), st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_every_explored_config_is_a_canonical_config_of_the_space(name, seed, resample):
    space, rng = example_spaces()[name], np.random.default_rng(seed)
    start = space.sample(rng, 1)[0]
    explored = explore(space, start, changed=space, resample=resample, rng=rng)
    assert space.config(explored) == explored
    assert space.allows(explored)
