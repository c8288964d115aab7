import numpy as np
import pytest

import ripieno as rp
from ripieno.errors import StudyError
from ripieno.study.diagnosing import diagnosed


def test_a_diagnosis_is_kept_until_another_trial_is_the_best(tuned):
    found = tuned.diagnose(progress=False)
    assert found.measured["trial"] == tuned.best.id
    shown = diagnosed(tuned)
    assert shown["range_test"] == found.range_test
    text = tuned.folder.diagnosis.read_text()
    tuned.folder.diagnosis.write_text(text.replace(f'"trial": {tuned.best.id}.0', '"trial": 99.0'))
    assert "range_test" not in diagnosed(tuned)


def test_a_report_tells_of_leaking_rows_without_any_diagnosis(tmp_path, arrays, factory, space):
    x, y = arrays
    data = (np.concatenate([x, x]), np.concatenate([y, y]))
    with rp.tune(
        factory, data, space, trials=1, epochs=1, workers=1, out=tmp_path / "s", progress=False
    ) as study:
        assert {finding.kind for finding in diagnosed(study)["diagnosis"]} == {"leakage"}
        assert "stand in the training part too" in study.report().read_text()


def test_a_search_over_a_function_has_no_training_to_examine():
    with (
        rp.search(lambda config: config.x, rp.Space(x=rp.Float(0, 1)), trials=2) as study,
        pytest.raises(StudyError, match="no training to examine"),
    ):
        study.diagnose(progress=False)
