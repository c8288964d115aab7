from ripieno.records import Config, Trial, TrialStatus
from ripieno.searchers import Enqueued, Grid, Random, Steered
from ripieno.space import Categorical, Float, Int, Space

SPACE = Space(x=Float(0.0, 1.0), kind=Categorical("a", "b"))


class Noted:
    """Gives the default again and again, and keeps what it is shown."""

    def __init__(self, space):
        self.space = space
        self.seen = []

    def suggest(self, count):
        return [self.space.default()] * count

    def observe(self, trials):
        self.seen += [(trial.id, dict(trial.config)) for trial in trials]


def trial(number, **config):
    return Trial(number, Config(config), TrialStatus.PAUSED, ({"loss": 1.0},))


def steered(space=SPACE):
    made = []

    def make(space, changes):
        assert changes == len(made)
        made.append(Noted(space))
        return made[-1]

    return Steered(make, space), made


def test_what_is_enqueued_comes_first_and_is_not_suggested_again():
    grid = Space(n=Int(1, 4))
    searcher = Steered(lambda space, changes: Grid(space), grid)
    assert searcher.suggest(1) == [grid.config(n=1)]
    searcher.enqueue([grid.config(n=3), grid.config(n=3)])
    assert [config.n for config in searcher.suggest(9)] == [3, 3, 2, 4]
    assert searcher.suggest(1) == []
    searcher.enqueue([grid.config(n=2)])
    assert [config.n for config in searcher.suggest(2)] == [2]


def test_it_suggests_what_its_searcher_does_in_batches_of_any_size():
    plain = Random(SPACE, seed=4).suggest(12)
    searcher = Steered(lambda space, changes: Random(space, seed=4), SPACE)
    searcher.enqueue([plain[5]])
    parts = [config for count in (1, 4, 0, 7) for config in searcher.suggest(count)]
    assert parts == [plain[5], *plain[:5], *plain[6:]]


def test_a_changed_space_has_a_new_searcher_that_is_shown_what_the_space_holds():
    searcher, made = steered()
    searcher.observe([trial(0, x=0.2, kind="a"), trial(1, x=0.9, kind="b")])
    searcher.learn([trial(-1, x=0.3, kind="a", other=3)])
    assert made[0].seen[-1] == (-1, {"x": 0.3, "kind": "a"})
    narrow = Space(x=Float(0.0, 0.5), kind=Categorical("a", "b", "c"), n=Int(1, 9, default=4))
    searcher.change_space(narrow)
    held = [(0, {"x": 0.2, "kind": "a", "n": 4}), (-1, {"x": 0.3, "kind": "a", "n": 4})]
    assert made[1].seen == held
    searcher.observe([trial(1, x=0.9, kind="b"), trial(2, x=0.1, kind="c", n=2)])
    assert made[1].seen[2:] == [(2, {"x": 0.1, "kind": "c", "n": 2})]
    wide = Space(x=Float(0.0, 1.0), kind=Categorical("a", "b", "c"))
    searcher.change_space(wide)
    assert {number for number, _ in made[2].seen} == {0, 1, 2, -1}


def test_what_was_given_before_is_not_given_again_in_a_new_space():
    def make(space, changes):
        return Enqueued([space.default()], Grid(space))

    searcher = Steered(make, Space(n=Int(1, 3, default=2)))
    assert [config.n for config in searcher.suggest(2)] == [2, 1]
    searcher.change_space(Space(n=Int(1, 5, default=2)))
    assert [config.n for config in searcher.suggest(9)] == [3, 4, 5]


def test_what_waits_moves_to_the_new_space_or_is_dropped():
    searcher, _ = steered()
    searcher.enqueue([SPACE.config(x=0.1, kind="a"), SPACE.config(x=0.9, kind="a")])
    searcher.change_space(Space(x=Float(0.0, 0.5)))
    assert [dict(config) for config in searcher.suggest(1)] == [{"x": 0.1}]
