import pytest

import ripieno as rp
from ripieno.cli.tune import SchedulerName, SearcherName
from ripieno.nas import cell_space
from ripieno.searchers import Grid
from ripieno.searchers.perceptrons import Perceptrons
from ripieno.study.strategy import name_searcher

SPACE = rp.Space(x=rp.Float(0.1, 1.0), kind=rp.Categorical("a", "b"))
LEARNING = [
    "treeparzen", "gaussianprocess", "cmaes", "evolution", "localsearch", "reinforce", "bananas",
]  # fmt: skip


def objective(config, report):
    for epoch in range(report.start + 1, report.epochs + 1):
        report(epoch=epoch, loss=(config.x - 0.4) ** 2 + (config.kind == "b") + 1.0 / epoch)


@pytest.mark.parametrize("name", [*LEARNING, "auto"])
@pytest.mark.parametrize("scheduler", ["full", "bohb"])
def test_a_search_by_the_searchers_name_is_carried_out_and_can_be_opened_again(
    name, scheduler, tmp_path
):
    folder = tmp_path / "study"
    study = rp.search(
        objective, SPACE, metric="loss", searcher=name, scheduler=scheduler, epochs=9, trials=30,
        out=folder,
    )  # fmt: skip
    assert len(study.trials) == 30
    assert len({trial.config for trial in study.trials}) == 30
    assert study.trials[0].config == SPACE.default()
    study.close()
    with rp.open(folder, objective=objective) as again:
        assert again.settings.searcher == ("gaussianprocess" if name == "auto" else name)
        assert again.finished  # replayed from the record: nothing is left to order


def test_a_search_of_cells_tells_its_searcher_their_paths(monkeypatch, tmp_path):
    widths, fit = [], Perceptrons.fit

    def noted(x, y, **told):
        widths.append(x.shape[1])
        return fit(x, y, **told)

    def count(config, report):
        report(epoch=1, loss=list(config.values()).count("none"))

    monkeypatch.setattr(Perceptrons, "fit", noted)
    rp.search(
        count, cell_space(), metric="loss", searcher="bananas", scheduler="full", epochs=1,
        trials=12, out=tmp_path / "study",
    ).close()  # fmt: skip
    assert set(widths) == {6 * 5 + 155}  # which operation on which edge, and the paths


def test_bohb_is_hyperband_with_a_searcher_that_learns():
    searches = [
        rp.search(
            objective, SPACE, metric="loss", searcher=searcher, scheduler=scheduler, epochs=9,
            trials=40,
        )
        for searcher, scheduler in [("random", "bohb"), ("treeparzen", "hyperband")]
    ]  # fmt: skip
    assert [t.config for t in searches[0].trials] == [t.config for t in searches[1].trials]
    assert searches[0].settings.searcher == "treeparzen"
    assert "BOHB" in searches[0].settings.searcher_reason


def test_auto_says_what_it_picked_and_why():
    study = rp.search(objective, SPACE, metric="loss", searcher="auto", trials=12)
    text = "gaussianprocess (12 trials, 2 hyperparameters: few enough to model all of them"
    assert study.settings.searcher_in_words.startswith(text)
    assert study.results().searcher == study.settings.searcher_in_words


def test_what_the_user_named_is_kept_without_a_reason():
    assert name_searcher("sobol", "full", space=SPACE, trials=5) == ("sobol", None)
    assert name_searcher("cmaes", "bohb", space=SPACE, trials=5) == ("cmaes", None)
    grid = Grid(rp.Space(a=rp.Int(1, 3)))
    assert name_searcher(grid, "bohb", space=SPACE, trials=5) == ("custom", None)


def test_the_command_knows_every_searcher_and_scheduler_by_name():
    for name in SearcherName:
        study = rp.search(lambda config: config.a, rp.Space(a=rp.Int(1, 3)), searcher=name.value,
                          trials=2)  # fmt: skip
        assert len(study.trials) == 2
    assert "bohb" in [name.value for name in SchedulerName]


@pytest.mark.parametrize("name", ["treeparzen", "evolution"])
def test_a_tuned_model_is_searched_in_blocks_of_one_architecture(name, arrays, factory, tmp_path):
    space = rp.Space(hidden=rp.Int(2, 200), lr=rp.Float(1e-3, 1e-1, log=True))

    def model(config):
        return factory(rp.Config({"hidden": config.hidden, "dropout": 0.0}))

    with rp.tune(
        model, arrays, space, searcher=name, scheduler="full", epochs=1, trials=25, workers=1,
        tier="loop", out=tmp_path / "study", progress=False,
    ) as study:  # fmt: skip
        hidden = [trial.config.hidden for trial in study.trials[1:]]
    # 25 trials look at eight architectures at least: blocks of three.
    assert [len(set(hidden[begin : begin + 3])) for begin in range(0, 24, 3)] == [1] * 8
    assert len(set(hidden)) > 4
