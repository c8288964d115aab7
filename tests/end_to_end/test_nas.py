"""``ripieno nas`` as a user runs it."""

import json

import numpy as np

import ripieno as rp


def test_an_architecture_is_searched_trained_drawn_and_can_be_used(ripieno):
    quick = ("--search-epochs", "1", "--epochs", "2", "--workers", "1")
    kept = ("--artifacts", (ripieno.folder / "states").as_uri(), "--disk", "1GB")
    results = ripieno.json("nas", "digits", *quick, *kept, "--out", "study")
    assert results["trials"] == 1
    assert any((ripieno.folder / "states").iterdir())
    config = results["best"]["config"]
    assert config["network"] == "nasbench201"
    folder = ripieno.folder / "study"
    told = json.loads((folder / "architecture.json").read_text())
    assert told["config"].items() <= config.items()
    assert len(told["epochs"]) == 1
    assert "of the best architecture" in (folder / "report.html").read_text()
    # The ensemble knows how to build the network again.
    data = rp.load_data("digits", seed=0)
    np.savez(ripieno.folder / "rows.npz", x=data.test.x[:5, 0])
    answers = ripieno("predict", "study", "rows.npz").stdout.splitlines()
    assert len(answers) == 6


def test_what_cannot_be_searched_is_said_before_a_supernet_is_trained(ripieno):
    message = ripieno.refused("nas", "digits", "--space", "macro")
    assert "the space 'macro' has no supernet" in message
    (ripieno.folder / "taken").mkdir()
    (ripieno.folder / "taken" / "notes.txt").write_text("mine")
    message = ripieno.refused("nas", "digits", "--out", "taken")
    assert "is not empty and holds no study" in message
    assert "supernet" not in message
