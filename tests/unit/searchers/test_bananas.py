import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import Bananas
from ripieno.searchers.perceptrons import Perceptrons
from ripieno.space import Categorical, Float, Space

LOSS = Objective("loss")
CELL = Space(**{f"edge{edge}": Categorical(*range(4)) for edge in range(5)})


def trial(number, config, loss, status=TrialStatus.PAUSED):
    return Trial(number, config, status, () if loss is None else ({"loss": loss},))


def total(config):
    return float(sum(config.values()))


def searched(searcher, count, loss, first=0):
    """Carry suggestions out one by one, and return them."""
    configs = []
    for number in range(first, first + count):
        (config,) = searcher.suggest(1)
        searcher.observe([trial(number, config, loss(config))])
        configs.append(config)
    return configs


def test_it_finds_the_best_of_a_thousand_cells_in_fifty():
    configs = searched(Bananas(CELL, LOSS, seed=1), 50, total)
    assert min(map(total, configs)) == 0.0


def test_suggestions_are_few_mutations_away_from_the_best():
    searcher = Bananas(CELL, LOSS, seed=0)
    configs = searched(searcher, 10, total)
    best = min(configs, key=total)
    apart = [sum(best[n] != c[n] for n in CELL.searched) for c in searcher.suggest(20)]
    assert np.mean(apart) < 2.5  # a random config differs in 3.75


@pytest.fixture
def fits(monkeypatch):
    """The rows, features and targets of every fit."""
    made = []
    fit = Perceptrons.fit

    def noted(x, y, **told):
        made.append((x, y))
        return fit(x, y, **told)

    monkeypatch.setattr(Perceptrons, "fit", noted)
    return made


def test_the_ensemble_is_trained_anew_after_so_many_observations_and_not_before(fits):
    searched(Bananas(CELL, LOSS, seed=0, startup=6, refit=5), 22, total)
    assert [len(x) for x, _ in fits] == [6, 11, 16, 21]


def test_dead_trials_count_as_the_worst_that_was_seen(fits):
    searcher = Bananas(CELL, LOSS, seed=0, startup=4)
    configs = searcher.suggest(4)
    fates = [(1.0, TrialStatus.PAUSED), (None, TrialStatus.FAILED), (3.0, TrialStatus.PAUSED),
             (0.5, TrialStatus.DIVERGED)]  # fmt: skip
    searcher.observe([trial(n, c, *f) for n, (c, f) in enumerate(zip(configs, fates, strict=True))])
    searcher.suggest(1)
    ((_, targets),) = fits
    assert targets[1] == targets[2] == targets[3] > targets[0]


def test_what_an_encoder_says_stands_beside_the_hyperparameters(fits):
    searcher = Bananas(
        CELL, LOSS, seed=0, startup=3, encode=lambda config: np.array([total(config), -1.0])
    )
    configs = searched(searcher, 4, total)
    ((features, _),) = fits
    assert features.shape == (3, 5 * 4 + 2)
    assert features[:, -2].tolist() == [total(config) for config in configs[:3]]
    one_hot = features[:, :20].reshape(3, 5, 4)
    assert one_hot.argmax(2).tolist() == [list(config.values()) for config in configs[:3]]


def test_draws_decide_and_not_the_mean_alone(monkeypatch):
    """Independent Thompson sampling: a candidate the members do not agree on has its chance."""
    space = Space(x=Categorical("a", "b", "c", "best"))
    seen = []
    for seed in range(40):
        searcher = Bananas(space, LOSS, seed=seed, startup=1)
        searcher.observe([trial(0, space.config(x="best"), 0.0)])

        def predict(self, x):
            known = {0: [1.0, 1.0], 1: [-3.0, 7.0], 2: [9.0, 9.0], 3: [0.0, 0.0]}
            return np.array([known[row.argmax()] for row in x]).T

        monkeypatch.setattr(Perceptrons, "predict", predict)
        seen.append(searcher.suggest(1)[0].x)
    # The chance that a draw of mean 2 and deviation 5 lies below 1 is 0.42.
    assert seen.count("c") == 0
    assert 8 <= seen.count("b") <= 26


def test_numbers_are_searched_too():
    space = Space(x=Float(0.0, 1.0), y=Float(1e-4, 1.0, log=True))

    def loss(config):
        return abs(config.x - 0.3) + abs(np.log10(config.y) + 2.0)

    configs = searched(Bananas(space, LOSS, seed=0), 50, loss)
    assert min(map(loss, configs)) < 0.15


@pytest.mark.parametrize(
    "told", [{"startup": 0}, {"refit": 0}, {"members": 1}, {"candidates": 0}, {"seed": -1}]
)
def test_a_number_that_means_nothing_is_refused(told):
    with pytest.raises(SearchError):
        Bananas(CELL, LOSS, **told)
