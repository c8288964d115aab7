import numpy as np
import pytest

from ripieno.searchers.distributions import Continuous, Mixed, make_distribution
from ripieno.space import Categorical, Constant, Float, Int, Space

MIXED = Space(
    op=Categorical("a", "b", "c"),
    x=Float(0.0, 1.0),
    depth=Int(1, 5),
    flag=Int(0, 1),
    only=Categorical("one"),
    wide=Int(1, 1_000, log=True),
)


def made(space, population=None):
    mean = np.full(space.dims, 0.5)
    return make_distribution(space, mean=mean, seed=0, population=population)


@pytest.mark.parametrize(
    ("space", "kind"),
    [
        (Space(x=Float(0.0, 1.0), n=Int(1, 100)), Continuous),
        (Space(x=Float(0.0, 1.0), n=Int(1, 10)), Mixed),
        (Space(n=Int(1, 10)), Mixed),
        (Space(op=Categorical("a", "b", "c")), Mixed),
        (Space(flag=Int(0, 1)), Mixed),
        (MIXED, Mixed),
        (Space(op=Categorical("a"), epochs=Constant(3)), type(None)),
    ],
)
def test_the_kind_of_space_decides(space, kind):
    assert type(made(space)) is kind


def test_points_lie_in_the_cube_and_at_the_middle_of_their_values():
    distribution = made(MIXED)
    for _ in range(200):
        _, point = distribution.ask()
        assert ((point >= 0.0) & (point <= 1.0)).all()
        config = MIXED.decode(point)
        for index, name in enumerate(MIXED.searched):
            if name not in {"x", "wide"}:
                assert point[index] == pytest.approx(MIXED[name].encode(config[name]))


@pytest.mark.parametrize("space", [MIXED, Space(x=Float(0.0, 1.0)), Space(op=Categorical(*"abc"))])
def test_it_learns_from_points_that_it_did_not_draw(space):
    distribution = made(space, population=8)
    rng = np.random.default_rng(1)
    wanted = np.full(space.dims, 0.9)
    for _ in range(20):
        near = np.clip(wanted + 0.05 * rng.normal(size=(8, space.dims)), 0.0, 1.0)
        near = sorted(near, key=lambda point: float(np.abs(point - wanted).sum()))
        distribution.tell([distribution.at(point) for point in near])
    drawn = np.array([distribution.ask()[1] for _ in range(100)])
    searched = [i for i, name in enumerate(space.searched) if space[name].size > 1]
    assert (np.median(drawn, axis=0)[searched] > 0.6).all()
    assert not distribution.should_stop()


def test_a_solution_made_of_a_point_is_its_reals_its_whole_numbers_and_its_choices():
    solution = made(MIXED).at(np.array([0.9, 0.25, 0.3, 0.75, 0.5, 0.6]))
    np.testing.assert_array_equal(solution.x, [0.25, 0.6])
    np.testing.assert_array_equal(solution.z, [0.3])
    # Two values are a choice as well; shorter rows are padded with False.
    np.testing.assert_array_equal(solution.c, [[False, False, True], [False, True, False]])
