"""Fine-tune a backbone: its features once for all trials, and some blocks of it at their own rate.

A small backbone learns the digits 0 to 4; its weights go to a file. Then a search finds how to
use it for the digits 5 to 9: how many blocks to train beside the head, and how fast.

Run: python examples/fine_tuning.py
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

import ripieno as rp

FOLDER = Path(tempfile.mkdtemp())


def backbone() -> nn.Sequential:
    """Return an untrained backbone of three blocks; 32 features come out of it."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Sequential(nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Flatten()),
    )


def digits(first: int, last: int) -> rp.Data:
    """Return the images of some digits."""
    data = rp.load_data("digits")
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    x = np.concatenate([part.x for part in parts])[:, 0]
    y = np.concatenate([part.y for part in parts])
    chosen = (y >= first) & (y <= last)
    return rp.Data.from_arrays(x[chosen], y[chosen], name=f"digits {first} to {last}")


def pretrain(path: Path) -> None:
    """Train a backbone in a plain loop and save its weights."""
    data = digits(0, 4)
    x, y = torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
    torch.manual_seed(0)
    body, head = backbone(), nn.Linear(32, 5)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()])
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(body(x)), y).backward()
        optimizer.step()
    torch.save(body.state_dict(), path)


def main() -> None:
    """Pretrain, search, combine."""
    weights = FOLDER / "backbone.pt"
    pretrain(weights)
    data = digits(5, 9)
    recipe = rp.fine_tune(data, backbone(), weights=weights)
    with rp.tune(recipe, data, trials=22, epochs=9, out=FOLDER / "study") as study:
        best = study.best
        print(f"best trial {best.id}: {best.config['unfrozen']} of 3 blocks unfrozen")
        found = study.results().ensemble
        print(f"ensemble of {len(found.members)}: test accuracy {found.test['accuracy']:.4f}")


if __name__ == "__main__":
    main()
