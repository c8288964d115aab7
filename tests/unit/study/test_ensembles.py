"""The trials of a study, combined in every way."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

import ripieno as rp
from ripieno.ensembles import Ensemble, methods_of
from ripieno.errors import EnsembleError, StudyError
from ripieno.study import combine


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    from torch import nn

    def model(config):
        return nn.Sequential(nn.Linear(3, config.hidden), nn.Tanh(), nn.Linear(config.hidden, 3))

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)).astype(np.float32)
    y = (x @ rng.normal(size=(3, 3)) + rng.normal(size=(300, 3))).argmax(axis=1)
    space = rp.Space(hidden=rp.Int(2, 6, default=4), lr=rp.Float(1e-3, 1e-1, log=True))
    out = tmp_path_factory.mktemp("study") / "s"
    with rp.tune(
        model, (x, y), space, trials=8, epochs=2, scheduler="full", workers=1, seeds=2, out=out,
        progress=False, tier="loop",
    ) as found:  # fmt: skip
        yield found


@pytest.mark.parametrize("method", methods_of("classification"))
def test_an_ensemble_by_any_method_answers_as_it_was_measured(study, method, tmp_path):
    chosen = study.choose(method, size=4)
    evaluation = study.measure(chosen)
    ensemble = study.ensemble(method, size=4)
    assert len(evaluation.chosen.members) <= 4
    assert len(ensemble.members) == 2 * len(chosen.members)  # two seeds a trial
    test = study.job.data.test
    np.testing.assert_allclose(ensemble.answers(test), evaluation.predictions, atol=2e-5)
    ensemble.save(tmp_path)
    again = Ensemble.load(tmp_path, study.job.recipe.model)
    np.testing.assert_array_equal(again.answers(test), ensemble.answers(test))


@dataclass
class TopTwo:
    """Compared by value, and so without a hash."""

    def fit(self, library):
        losses = [-np.log(p[np.arange(library.rows), library.targets]).mean()
                  for p in library.probabilities]  # fmt: skip
        return np.argsort(np.argsort(losses)) < 2


def test_a_users_combiner_chooses_among_the_trials(study):
    chosen = study.choose(TopTwo())
    best = sorted(study.trials, key=lambda trial: trial.metrics["log_loss"])[:2]
    assert {trial.id for trial in chosen.members} == {trial.id for trial in best}
    assert chosen.weights == (0.5, 0.5)


def test_calibration_is_fitted_on_answers_to_rows_that_a_combination_had_not_seen(study):
    mended = study.ensemble("soft", calibration="temperature")
    plain = study.ensemble("soft")
    test = study.job.data.test
    assert mended.calibrator is not None
    np.testing.assert_array_equal(
        mended.answers(test).argmax(axis=1), plain.answers(test).argmax(axis=1)
    )
    assert not np.allclose(mended.answers(test), plain.answers(test))


def test_the_nested_gain_is_told_beside_the_gain_on_the_test_part(study):
    found = study.results().ensemble
    assert set(found.nested_gain) == set(found.gain) == {"log_loss", "low", "high"}
    assert found.nested_gain["low"] <= found.nested_gain["log_loss"] <= found.nested_gain["high"]


def test_another_ensemble_is_left_beside_the_studys_own(study, tmp_path):
    found = combine(study, "weighted", calibration="vector", out=tmp_path / "w",
                    export=tmp_path / "w.pt2")  # fmt: skip
    assert (tmp_path / "w.pt2").is_file()
    assert found.result.test == {}
    assert sum(found.result.weights) == pytest.approx(1, abs=1e-5)
    json.dumps(found.to_dict())
    tested = combine(study, "weighted", test=True)
    assert tested.paths == (str(study.folder.path / "ensemble-weighted"),)
    assert set(tested.result.test) >= {"log_loss", "accuracy"}


def test_what_does_not_suit_is_refused_before_the_search(arrays, factory, space, tmp_path):
    with pytest.raises(StudyError, match="ensemble = 'median' is no way to combine answers"):
        rp.tune(factory, arrays, space, ensemble="median", out=tmp_path / "s", progress=False)
    assert not (tmp_path / "s").exists()


def test_what_is_no_method_is_refused(study):
    with pytest.raises(EnsembleError, match="no method 'best'"):
        study.ensemble("best")
    with pytest.raises(StudyError, match="'none' is no way to combine trials"):
        combine(study, "none")


def test_none_leaves_the_best_trial_alone(arrays, factory, space, tmp_path):
    with rp.tune(
        factory, arrays, space, trials=3, epochs=1, scheduler="full", workers=1, progress=False,
        ensemble="none", tier="loop", out=tmp_path / "s",
    ) as study:  # fmt: skip
        results = study.finish()
        assert results.ensemble.members == [study.best.id]
        assert results.ensemble.test == pytest.approx(results.best.test)
    with rp.open(tmp_path / "s", read_only=True) as again:
        assert again.settings.ensemble == "none"
