"""Fine-tuning from the command line: a recipe in a file, weights in another one."""

import csv

import numpy as np
import torch
from torch import nn

CODE = """
from pathlib import Path
from torch import nn
import ripieno as rp

def backbone():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 12, 3), nn.ReLU(), nn.Flatten()),
    )

def recipe(data):
    return rp.fine_tune(data, backbone(), weights=Path(__file__).parent / "weights.pt")
"""


def weights():
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 12, 3), nn.ReLU(), nn.Flatten()),
    )
    return body.state_dict()


def test_tune_resume_and_predict_find_the_backbone_again(ripieno):
    (ripieno.folder / "own.py").write_text(CODE)
    torch.save(weights(), ripieno.folder / "weights.pt")
    results = ripieno.json("tune", "digits", "--recipe", "own.py:recipe", "--trials", "6",
                           "--epochs", "3", "--workers", "2", "--out", "study")  # fmt: skip
    assert results["finished"]
    assert results["best"]["test"]["accuracy"] > 0.7
    ripieno("resume", "study")
    np.savez(ripieno.folder / "rows.npz", x=np.zeros((3, 8, 8)))
    ripieno("predict", "study", "rows.npz", "--out", "answers.csv")
    with (ripieno.folder / "answers.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3
    # Other weights under the same name are no longer those that the heads were trained on.
    other = {name: tensor + 1 for name, tensor in weights().items()}
    torch.save(other, ripieno.folder / "weights.pt")
    message = ripieno.refused("predict", "study", "rows.npz", "--out", "answers.csv")
    assert "another backbone, or of other weights" in message


def test_weights_that_cannot_be_read_are_refused(ripieno):
    (ripieno.folder / "own.py").write_text(CODE)
    message = ripieno.refused("tune", "digits", "--recipe", "own.py:recipe", "--trials", "2")
    assert "weights.pt' cannot be read: FileNotFoundError" in message
