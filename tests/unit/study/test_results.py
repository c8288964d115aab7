"""What a study says of how its trials were trained."""

import json

import ripieno as rp
from ripieno.study import Results


def trained(tmp_path, arrays, factory, space, **options):
    return rp.tune(
        factory, arrays, space, epochs=1, scheduler="full", workers=1, out=tmp_path / "study",
        progress=False, **options,
    )  # fmt: skip


def test_the_notes_of_a_stack_are_read_as_tier_rows_and_reason(tmp_path, arrays, factory, space):
    one = rp.Space(**{**space, "hidden": rp.Constant(3)})
    with trained(tmp_path, arrays, factory, one, trials=4, tier="leaves") as study:
        (found,) = study.results().training
    assert (found.tier, found.reason, found.trials) == ("leaves", "forced", 4)
    assert 2 <= found.fewest_rows <= found.most_rows <= 4
    assert found.seconds > 0


def test_the_note_of_a_lonely_model_is_read_as_one_row(tmp_path, arrays, factory, space):
    with trained(tmp_path, arrays, factory, space, trials=1, tier="leaves") as study:
        (found,) = study.results().training
    assert (found.tier, found.most_rows, found.trials) == ("one model after another", 1, 1)
    assert found.reason == "no other order has its signature"


def test_training_is_in_the_stored_results_and_read_back(tmp_path, arrays, factory, space):
    with trained(tmp_path, arrays, factory, space, trials=4, tier="loop") as study:
        first = study.results()
        assert first.training
        assert Results.read(study.folder.results) == first
        assert json.loads(study.folder.results.read_text())["training"][0]["trials"] > 0
        assert "How the trials were trained" in study.report().read_text()


def test_results_stored_before_training_was_told_can_be_read(tuned):
    stored = tuned.results().to_dict()
    del stored["training"]
    tuned.folder.results.write_text(json.dumps(stored))
    assert Results.read(tuned.folder.results).training == []
