import pytest

import ripieno as rp
from ripieno.study.strategy import changed_names

SPACE = rp.Space(x=rp.Float(0.1, 1.0), kind=rp.Categorical("a", "b"))


def objective(config, report):
    saved = report.load()
    loss = float(saved["loss"]) if saved else 1.0
    for epoch in range(report.start + 1, report.epochs + 1):
        loss *= 1.0 - config.x / 2
        report.save(epoch=epoch, loss=loss)
        report(epoch=epoch, loss=loss)


@pytest.mark.parametrize("name", ["asha", "median", "freezethaw", "pbt"])
def test_a_search_by_the_schedulers_name_is_carried_out_and_can_be_opened_again(name, tmp_path):
    folder = tmp_path / "study"
    study = rp.search(
        objective, SPACE, metric="loss", scheduler=name, epochs=9, trials=6, out=folder
    )
    trials = list(study.trials)
    assert len(trials) >= 6
    assert max(trial.epochs for trial in trials) == 9
    assert (name == "pbt") == any(trial.parent is not None for trial in trials)
    for trial in trials:
        loss = 1.0
        for config in study.schedule(trial.id):
            loss *= 1.0 - config.x / 2
        assert trial.metrics["loss"] == pytest.approx(loss)
    line = study.lineage(trials[-1].id)
    assert [each.parent for each in line[1:]] == [each.id for each in line[:-1]]
    assert (line[0].parent, line[-1]) == (None, trials[-1])
    study.close()
    with rp.open(folder, objective=objective) as again:
        assert again.settings.scheduler == name
        assert again.finished  # replayed from the record: nothing is left to order


def test_a_fork_of_a_tuned_model_keeps_what_decides_its_shape():
    space = rp.Space(
        lr=rp.Float(1e-3, 1.0, log=True),
        width=rp.Int(8, 64),
        dropout=rp.Float(0.0, 0.5),
        optimizer=rp.Categorical("sgd", "adam"),
        batch_size=rp.Categorical(16, 32),
    )
    assert changed_names(space) == {"lr", "dropout"}
