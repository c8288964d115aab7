import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import Blocks, Evolution, TreeParzen
from ripieno.searchers.memory import Memory
from ripieno.space import Categorical, Float, Int, Space

LOSS = Objective("loss")
SPACE = Space(
    width=Int(1, 1_000),
    optimizer=Categorical("sgd", "adam"),
    lr=Float(0.0, 1.0),
    momentum=Float(0.0, 1.0).when(optimizer="sgd"),
).where("width * lr <= 900")
SHARED = {"width", "optimizer"}


def trial(number, config, loss):
    return Trial(number, config, TrialStatus.PAUSED, ({"loss": loss},))


def test_a_block_agrees_in_what_is_shared_and_differs_in_the_rest():
    blocks = Blocks(TreeParzen(SPACE, LOSS, seed=1), SPACE, shared=SHARED, block=4)
    configs = []
    for number in range(40):
        configs += blocks.suggest(1)
        blocks.observe([trial(number, configs[-1], configs[-1].lr)])
    for begin in range(0, 40, 4):
        block = configs[begin : begin + 4]
        assert len({(c.width, c.optimizer) for c in block}) == 1
        assert len({c.lr for c in block}) == 4
    assert len({c.width for c in configs}) > 5
    assert all(config == SPACE.config(config) for config in configs)


def test_the_first_of_each_block_is_the_searchers_own_and_the_others_take_its_other_values():
    plain, inner = (Evolution(SPACE, LOSS, seed=2) for _ in range(2))
    blocks = Blocks(inner, SPACE, shared=SHARED, block=3)
    for first, *others in (plain.suggest(3) for _ in range(3)):
        given = blocks.suggest(3)
        assert given[0] == first
        for config, own in zip(given[1:], others, strict=True):
            assert config.lr == own.lr
            if "momentum" in config and "momentum" in own:
                assert config.momentum == own.momentum


class Drawing:
    """A searcher that can be looked into."""

    def __init__(self):
        self.memory = Memory(SPACE, LOSS, seed=3, where="Drawing")
        self.swap = self.memory.swap
        self.observe = self.memory.observe

    def suggest(self, count):
        return self.memory.suggest(count, self.memory.draw)


def test_the_searcher_waits_for_what_was_given_and_for_nothing_else():
    inner = Drawing()
    blocks = Blocks(inner, SPACE, shared=SHARED, block=5)
    configs = blocks.suggest(10)
    assert list(inner.memory.pending.values()) == configs
    blocks.observe([trial(number, config, 0.0) for number, config in enumerate(configs)])
    assert not inner.memory.pending


def test_what_was_given_before_begins_a_block_of_its_own():
    space = Space(width=Int(1, 3), lr=Categorical(0.1, 0.2))
    blocks = Blocks(Evolution(space, LOSS, seed=0), space, shared={"width"}, block=4)
    configs = blocks.suggest(20)
    assert len(configs) == 6
    assert set(configs) == set(space.grid())


def test_a_block_of_one_is_the_searcher_itself():
    plain = TreeParzen(SPACE, LOSS, seed=4)
    blocks = Blocks(TreeParzen(SPACE, LOSS, seed=4), SPACE, shared=SHARED, block=1)
    assert blocks.suggest(12) == plain.suggest(12)


def test_it_still_learns():
    space = Space(width=Int(1, 64), lr=Float(0.0, 1.0))
    blocks = Blocks(TreeParzen(space, LOSS, seed=5), space, shared={"width"}, block=4)
    losses = []
    for number in range(100):
        (config,) = blocks.suggest(1)
        losses.append((config.lr - 0.8) ** 2 + ((config.width - 50) / 64) ** 2)
        blocks.observe([trial(number, config, losses[-1])])
    assert np.median(losses[60:]) < 0.2 * np.median(losses[:20])


def test_an_empty_block_is_refused():
    with pytest.raises(SearchError, match="block = 0"):
        Blocks(TreeParzen(SPACE, LOSS), SPACE, shared=SHARED, block=0)
