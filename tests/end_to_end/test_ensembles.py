"""A finished study's trials, combined in another way from the shell."""

import numpy as np


def test_another_ensemble_of_a_finished_study(ripieno):
    ripieno("tune", "digits", "--trials", "6", "--epochs", "2", "--recipe", "mlp", "--out", "s",
            "--ensemble", "soft", "--scheduler", "full", "--workers", "1")  # fmt: skip
    results = ripieno.json("show", "s")
    assert len(set(results["ensemble"]["weights"])) == 1  # equal votes
    found = ripieno.json("ensemble", "s", "--method", "weighted", "--size", "3",
                         "--calibration", "temperature", "--export", "e.pt2")  # fmt: skip
    assert found["method"] == "weighted"
    assert len(found["result"]["members"]) <= 3
    assert found["result"]["test"] == {}
    assert (ripieno.folder / "s" / "ensemble-weighted" / "ensemble.json").is_file()
    assert (ripieno.folder / "e.pt2").is_file()
    text = ripieno("ensemble", "s", "--method", "soft", "--test", "--out", "soft").stdout
    assert "test: log_loss" in text
    assert "gain" in text or "of the ensemble is" in text
    message = ripieno.refused("ensemble", "s", "--method", "median")
    assert "median does not combine answers of classification" in message
    # What a search has left is as it was.
    assert ripieno.json("show", "s") == results
    assert np.isclose(sum(results["ensemble"]["weights"]), 1, atol=1e-4)
