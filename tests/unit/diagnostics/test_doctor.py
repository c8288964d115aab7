import math
from dataclasses import replace

import numpy as np

import ripieno as rp
from ripieno.diagnostics import diagnose
from ripieno.recipes import Split


def test_the_same_arguments_give_the_same_diagnosis_and_each_part_is_announced(recipe, data):
    parts = []
    config = rp.Config({"lr": 1e-5})
    first = diagnose(recipe, data, config, watch=parts.append)
    assert diagnose(recipe, data, config) == first
    assert parts[:4] == [
        "rows of the data", "learning-rate range test", "one batch by heart",
        "layers and gradients",
    ]  # fmt: skip
    assert [finding.kind for finding in first.alarms] == ["learning_rate_too_low"]
    assert all(math.isfinite(value) for value in first.measured.values())


def test_folded_data_are_examined_on_their_first_fold(recipe, data):
    x = np.concatenate([data.train.x, data.validation.x])
    y = np.concatenate([data.train.y, data.validation.y])
    folded = rp.Data.from_arrays(x, y, folds=3)
    alone = replace(folded, folds=None)
    config = rp.Config({"lr": 0.01})
    assert diagnose(recipe, folded, config) == diagnose(recipe, alone, config)


def test_alarms_come_before_advice(recipe, data):
    x = data.train.x.copy()
    x[:, 0] = 0.0
    x = np.concatenate([x, data.validation.x[:20]])
    y = np.concatenate([data.train.y, data.validation.y[:20]])
    spoiled = replace(data, train=Split(x, y), validation=data.validation)
    found = diagnose(recipe, spoiled, rp.Config({"lr": 0.01}))
    severities = [finding.severity for finding in found.findings]
    assert severities == sorted(severities, key=lambda severity: severity != "warning")
    assert found.findings[0].kind == "leakage"
