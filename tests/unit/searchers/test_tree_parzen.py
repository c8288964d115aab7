import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import TreeParzen
from ripieno.searchers.layout import Layout
from ripieno.searchers.parzen import Parzen, bandwidth
from ripieno.space import Categorical, Float, Space

LOSS = Objective("loss")
SPACE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0))


def trial(number, config, loss, *, epochs=1, status=TrialStatus.PAUSED):
    return Trial(number, config, status, ({"loss": loss},) * epochs)


def bowl(config):
    return (config.x - 0.3) ** 2 + (config.y - 0.7) ** 2


def trained(searcher, count, loss=bowl, first=0):
    for number in range(first, first + count):
        (config,) = searcher.suggest(1)
        searcher.observe([trial(number, config, loss(config))])
    return searcher


def test_the_suggestion_has_the_largest_ratio_of_the_two_densities():
    searcher = TreeParzen(SPACE, LOSS, seed=3, candidates=50)
    configs = SPACE.sample(np.random.default_rng(0), 30)
    searcher.observe([trial(number, config, bowl(config)) for number, config in enumerate(configs)])
    units = np.array([SPACE.encode(config) for config in sorted(configs, key=bowl)])
    layout, active = Layout(SPACE), np.ones(units.shape, np.bool_)
    near = Parzen(layout, units[:3], active=active[:3], width=bandwidth(3, 2))
    far = Parzen(layout, units[3:], active=active[3:], width=bandwidth(27, 2))
    rng = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,)))
    rng.random()  # whether the suggestion is a random one
    drawn = near.sample(rng, 50)
    features = layout.describe(drawn, np.ones(drawn.shape, np.bool_))
    best = drawn[np.argmax(near.log_density(features) - far.log_density(features))]
    assert searcher.suggest(1) == [SPACE.decode(best)]


def test_a_batch_spreads():
    alone, batch = (trained(TreeParzen(SPACE, LOSS, seed=1), 40) for _ in range(2))
    together = batch.suggest(8)
    units = np.array([SPACE.encode(config) for config in together])
    assert len(set(together)) == 8
    assert alone.suggest(1) == together[:1]
    # The pending ones stand among the others, so that their neighbourhood loses its appeal.
    apart = np.linalg.norm(units[:, None] - units[None], axis=-1)[np.triu_indices(8, 1)]
    assert np.median(apart) > 0.05


def test_dead_trials_drive_it_away():
    space = Space(side=Categorical("left", "right"), x=Float(0.0, 1.0))
    searcher = TreeParzen(space, LOSS, seed=0)
    sides = []
    for number in range(60):
        (config,) = searcher.suggest(1)
        sides.append(config.side)
        dies = config.side == "left"
        status = TrialStatus.DIVERGED if dies else TrialStatus.PAUSED
        searcher.observe([trial(number, config, 0.0 if dies else config.x, status=status)])
    assert sides[20:].count("right") >= 32


def test_it_learns_from_the_longest_time_that_enough_trials_were_trained_for():
    # After one epoch the left side looks better; after three it is the other way round.
    space = Space(side=Categorical("left", "right"), x=Float(0.0, 1.0))
    searcher = TreeParzen(space, LOSS, seed=0)
    configs = searcher.suggest(30)
    early = [trial(n, c, float(c.side == "right") + c.x) for n, c in enumerate(configs)]
    searcher.observe(early)
    copies = [TreeParzen(space, LOSS, seed=0) for _ in range(2)]
    late = [trial(n, c, float(c.side == "left") + c.x, epochs=3) for n, c in enumerate(configs)]
    for copy, longer in zip(copies, ([], late[:10]), strict=True):
        copy.suggest(30)
        copy.observe(early)
        copy.observe(longer)
    sides = [[config.side for config in copy.suggest(3)] for copy in copies]
    assert sides == [["left"] * 3, ["right"] * 3]


def test_a_conditional_hyperparameter_is_modelled_where_it_is_active():
    space = Space(
        optimizer=Categorical("sgd", "adam"),
        momentum=Float(0.0, 1.0).when(optimizer="sgd"),
        lr=Float(0.0, 1.0),
    )

    def loss(config):
        return abs(config.momentum - 0.9) + config.lr if config.optimizer == "sgd" else 2.0

    searcher = trained(TreeParzen(space, LOSS, seed=2), 60, loss)
    suggested = searcher.suggest(5)
    assert [config.optimizer for config in suggested] == ["sgd"] * 5
    assert np.median([abs(config.momentum - 0.9) for config in suggested]) < 0.12


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.0, 0, 0), (1 / 3, 60, 110), (1.0, 250, 250)]
)
def test_a_share_of_the_suggestions_is_random(share, least, most):
    searcher = TreeParzen(SPACE, LOSS, seed=4, random_share=share)
    plain = TreeParzen(SPACE, LOSS, seed=4)
    for number, config in enumerate(SPACE.sample(np.random.default_rng(0), 20)):
        for each in (searcher, plain):
            each.observe([trial(number, config, bowl(config))])
    draws = 0
    for index in range(250):
        (config,) = searcher.suggest(1)
        rng = np.random.default_rng(np.random.SeedSequence(4, spawn_key=(index,)))
        rng.random()
        draws += config == SPACE.sample(rng, 1)[0]
    assert least <= draws <= most


@pytest.mark.parametrize(
    "options", [{"startup": 0}, {"candidates": 0}, {"random_share": 1.5}, {"random_share": -0.1}]
)
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(SearchError, match=next(iter(options))):
        TreeParzen(SPACE, LOSS, **options)
