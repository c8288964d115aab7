"""What can be done with an ensemble besides asking it."""

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ensembles import (
    CALIBRATORS,
    DynamicSelection,
    Ensemble,
    Rule,
    SoftRule,
    fit_combiner,
    make_combiner,
)
from ripieno.errors import EnsembleError
from ripieno.recipes import Coding, Preprocess, Split, measure

CLASSES = ("ant", "bee", "cow")
TASKS = {
    "classification": ("greedy", "soft", "hard", "geometric", "weighted", "stacking", "blending",
                       "dynamic"),
    "multilabel": ("hard", "stacking", "dynamic"),
    "regression": ("soft", "stacking", "median", "mixture"),
}  # fmt: skip
PAIRS = [(task, method) for task, methods in TASKS.items() for method in methods]


def build(config):
    torch.manual_seed(config["seed"])
    return nn.Linear(4, 3)


def split(task="classification", rows=120, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    odds = x @ np.random.default_rng(99).normal(size=(4, 3)) + rng.normal(size=(rows, 3))
    if task == "classification":
        return Split(x, odds.argmax(axis=1))
    return Split(x, (odds > 0).astype(np.int64) if task == "multilabel" else odds)


def trained(task, part, members=4):
    """Linear members, each fitted to a few rows of its own."""
    models = []
    for seed in range(members):
        model = build({"seed": seed})
        rows = np.random.default_rng(seed).choice(len(part.y), 40)
        y = part.y[rows]
        wanted = np.eye(3)[y] if task == "classification" else y.astype(np.float64)
        if task != "regression":
            wanted = 4 * wanted - 2
        x = np.c_[part.x[rows], np.ones(40)]
        found = np.linalg.lstsq(x, wanted, rcond=None)[0]
        with torch.no_grad():
            model.weight.copy_(torch.from_numpy(found[:4].T))
            model.bias.copy_(torch.from_numpy(found[4]))
        models.append(model)
    return models


def coding(task):
    return Coding(task, (0.0,) * 3, (1.0,) * 3) if task == "regression" else Coding(task)


def facts(members):
    told = [{"id": f"m{n}", "recipe": "mine", "config": {"seed": n}} for n in range(members)]
    return {"input_shape": [4], "members": told}


def equal_vote(task="classification", members=4, **options):
    models = trained(task, split(task), members)
    return Ensemble(models, [1.0] * members, classes=CLASSES, coding=coding(task),
                    facts=facts(members), **options).eval()  # fmt: skip


def combined(task, method):
    """An ensemble by a method, fitted on rows that its members have not seen."""
    every = equal_vote(task)
    found = fit_combiner(make_combiner(method), every.predictions(split(task, seed=1)))
    kept = facts(4)
    kept["members"] = [kept["members"][m] for m in found.members]
    return Ensemble(
        [every.members[m] for m in found.members], classes=CLASSES, coding=coding(task),
        rule=found.rule, facts=kept,
    ).eval(), found, every  # fmt: skip


@pytest.mark.parametrize(("task", "method"), PAIRS)
def test_an_ensemble_answers_as_its_combination_does(task, method):
    ensemble, found, every = combined(task, method)
    new = split(task, seed=2)
    expected = found.answer(every.predictions(new))
    np.testing.assert_allclose(ensemble.answers(new), expected, atol=2e-5)
    assert ensemble.weights == pytest.approx(found.rule.shares)


@pytest.mark.parametrize(("task", "method"), PAIRS)
def test_every_rule_is_saved_and_loaded_bit_for_bit(task, method, tmp_path):
    ensemble, _, _ = combined(task, method)
    ensemble.save(tmp_path)
    again = Ensemble.load(tmp_path, build)
    new = split(task, seed=2)
    np.testing.assert_array_equal(again.answers(new), ensemble.answers(new))
    assert again.rule.name == method.replace("greedy", "soft").replace("weighted", "soft").replace(
        "blending", "stacking"
    )


@pytest.mark.parametrize("method", CALIBRATORS)
def test_calibration_is_saved_with_the_ensemble_and_leaves_it_unchanged(method, tmp_path):
    ensemble = equal_vote()
    before = ensemble.answers(split(seed=2))
    mended = ensemble.calibrate(split(seed=1), method=method)
    np.testing.assert_array_equal(ensemble.answers(split(seed=2)), before)
    assert mended.members[0] is ensemble.members[0]
    loss = measure(mended.answers(split(seed=1)), split(seed=1).y)["log_loss"]
    assert loss < measure(ensemble.answers(split(seed=1)), split(seed=1).y)["log_loss"]
    mended.save(tmp_path)
    again = Ensemble.load(tmp_path, build)
    np.testing.assert_array_equal(again.answers(split(seed=2)), mended.answers(split(seed=2)))
    # Calibrated again it is calibrated anew, not twice.
    twice = mended.calibrate(split(seed=1), method=method)
    np.testing.assert_allclose(
        twice.answers(split(seed=2)), mended.answers(split(seed=2)), atol=1e-6
    )


class Loudest(Rule):
    """A user's own rule: the member that is surest answers."""

    name = "loudest"

    def __init__(self, *, members, task="classification"):
        super().__init__(task=task)
        self.members = members

    def forward(self, scores, embedding=None):
        best = scores.amax(dim=2).argmax(dim=0)
        return scores[best, torch.arange(scores.shape[1])]

    @property
    def shares(self):
        return (1 / self.members,) * self.members

    def options(self):
        return {"members": self.members, "task": self.task}

    def keep(self, members):
        return Loudest(members=len(members), task=self.task)


def test_a_rule_of_ones_own_is_loaded_with_its_class(tmp_path):
    ensemble = equal_vote().replaced(rule=Loudest(members=4)).eval()
    ensemble.save(tmp_path)
    again = Ensemble.load(tmp_path, build, rule=Loudest)
    np.testing.assert_array_equal(again.answers(split(seed=2)), ensemble.answers(split(seed=2)))
    with pytest.raises(EnsembleError, match="'loudest' is no rule or calibrator of this Ripieno"):
        Ensemble.load(tmp_path, build)


def test_neighbours_are_looked_for_in_an_embedding_of_ones_own(tmp_path):
    every = equal_vote()
    torch.manual_seed(5)
    embed = nn.Linear(4, 2)
    held = split(seed=1)
    where = embed(torch.from_numpy(held.x)).detach().numpy()
    found = fit_combiner(DynamicSelection(embedding=where), every.predictions(held))
    ensemble = every.replaced(
        members=[every.members[m] for m in found.members], rule=found.rule, embed=embed
    ).eval()
    new = split(seed=2)
    expected = found.answer(
        every.predictions(new), embedding=embed(torch.from_numpy(new.x)).detach().numpy()
    )
    np.testing.assert_allclose(ensemble.answers(new), expected, atol=1e-5)
    ensemble.save(tmp_path)
    again = Ensemble.load(tmp_path, build, embed=nn.Linear(4, 2))
    assert again.answers(new).shape == expected.shape
    with pytest.raises(EnsembleError, match="whose module is not stored with it"):
        Ensemble.load(tmp_path, build)
    with pytest.raises(EnsembleError, match="does not fit its stored tensors"):
        Ensemble.load(tmp_path, build, embed=nn.Linear(4, 3))


def test_pruning_keeps_the_members_that_count_most():
    ensemble = equal_vote().replaced(rule=SoftRule([0.1, 0.4, 0.3, 0.2]))
    small = ensemble.prune(members=2)
    assert [m is k for m, k in zip(small.members, ensemble.members[1:3], strict=True)] == [True] * 2
    assert small.weights == pytest.approx((0.4 / 0.7, 0.3 / 0.7))
    assert [each["id"] for each in small.facts["members"]] == ["m1", "m2"]
    assert len(ensemble.prune(parameters=15 * 3).members) == 3  # 4 x 3 weights and 3 biases
    assert len(ensemble.prune(latency_ms=1e6).members) == 4
    with pytest.raises(EnsembleError, match="none of 4 models is within"):
        ensemble.prune(parameters=10)


def test_pruning_on_rows_selects_again():
    ensemble, _, _ = combined("classification", "stacking")
    with pytest.raises(EnsembleError, match="cannot be taken out"):
        ensemble.prune(members=1)
    small = ensemble.prune(split(seed=1), members=2)
    assert len(small.members) <= 2
    assert small.rule.name == "soft"
    assert small.facts is not None


@pytest.mark.parametrize("task", TASKS)
def test_a_student_answers_nearly_as_its_teacher(task):
    rows, new = split(task, rows=600), split(task, seed=2, rows=400)
    teacher = equal_vote(task)
    torch.manual_seed(0)
    student = teacher.distill(nn.Linear(4, 3), rows, epochs=20, lr=0.05)
    assert len(student.members) == 1
    assert student.task == task
    first = next(iter(measure(teacher.answers(new), new.y, task=task)))
    taught = measure(student.answers(new), new.y, task=task)[first]
    assert taught < 1.1 * measure(teacher.answers(new), new.y, task=task)[first]


def test_a_student_learns_the_same_from_the_same_seed():
    rows = split(rows=64)
    made = [equal_vote().distill(build({"seed": 9}), rows, epochs=2) for _ in range(2)]
    np.testing.assert_array_equal(made[0].answers(rows), made[1].answers(rows))


def test_a_student_that_diverges_or_cannot_be_taught_is_refused():
    rows = split(rows=64)
    with pytest.raises(EnsembleError, match=r"temperature = 0\.5"):
        equal_vote().distill(build({"seed": 9}), rows, temperature=0.5)
    with pytest.raises(EnsembleError, match="the loss of the student is"):
        equal_vote().distill(build({"seed": 9}), rows, lr=1e30)


@pytest.mark.parametrize("task", TASKS)
def test_a_report_measures_the_members_and_the_whole(task):
    ensemble, new = equal_vote(task), split(task, seed=2)
    card = ensemble.report(new, single=1)
    assert card.rows == 120
    assert card.together == measure(ensemble.answers(new), new.y, task=task)
    alone = ensemble.predictions(new).probabilities[1]
    assert card.alone[1] == measure(alone, new.y, task=task)
    metric = card.gain.metric
    assert card.gain.value == pytest.approx(card.alone[1][metric] - card.together[metric])
    text = str(card)
    assert "4 members on 120 rows" in text
    assert f"over '1: m1' in {metric.replace('_', ' ')}" in text


def test_a_report_says_no_gain_where_the_interval_holds_zero():
    ensemble = equal_vote()
    copies = ensemble.replaced(members=[ensemble.members[0]] * 4)
    assert "no gain over '0: m0'" in str(copies.report(split(seed=2)))


def test_what_members_say_is_marked_with_the_rows_they_say_it_of():
    ensemble = equal_vote()
    one, two = ensemble.predictions(split(seed=1)), ensemble.predictions(split(seed=2))
    assert one.fingerprint == ensemble.predictions(split(seed=1)).fingerprint
    assert one.fingerprint != two.fingerprint
    raw = ensemble.predictions(split(seed=1).x, np.array(CLASSES)[split(seed=1).y])
    assert raw.fingerprint == one.fingerprint


def test_weights_beside_a_rule_and_rules_of_others_are_refused():
    models = trained("classification", split())
    with pytest.raises(EnsembleError, match="weights are given beside a rule"):
        Ensemble(models, [1.0] * 4, classes=CLASSES, rule=SoftRule([1.0] * 4))
    with pytest.raises(EnsembleError, match="a rule of 2 members of classification is given 4"):
        Ensemble(models, classes=CLASSES, rule=SoftRule([1.0] * 2))
    with pytest.raises(EnsembleError, match="not one positive number for each of 4 members"):
        Ensemble(models, classes=CLASSES)


def test_a_preprocessing_is_kept_by_what_is_made_of_an_ensemble():
    raw = split().x * 3 + 1
    preprocess = Preprocess.fit(raw)
    ensemble = equal_vote(preprocess=preprocess)
    part = Split(preprocess.apply(raw), split().y)
    assert ensemble.calibrate(part).preprocess == preprocess
    student = ensemble.distill(build({"seed": 9}), part, epochs=1)
    assert student.predict_proba(raw).shape == (120, 3)
