"""Tune a model of your own: conditional hyperparameters, an ensemble, a report.

Run: python examples/own_model.py
"""

import tempfile
from pathlib import Path

from torch import nn

import ripieno as rp

space = rp.Space(
    hidden=rp.Int(16, 128, log=True),
    layers=rp.Int(1, 3),
    dropout=rp.Float(0.0, 0.5),
    optimizer=rp.Categorical("adam", "sgd"),
    lr=rp.Float(1e-4, 1e-1, log=True, default=3e-3),
    momentum=rp.Float(0.0, 0.99).when(optimizer="sgd"),
    weight_decay=rp.Float(1e-6, 1e-2, log=True),
).where("hidden * layers <= 256", "a small model is enough for these images")


def model(config: rp.Config) -> nn.Module:
    """Build what a config describes; `lr` and its like are not the model's business."""
    parts: list[nn.Module] = [nn.Flatten()]
    width = 64
    for _ in range(config.layers):
        parts += [nn.Linear(width, config.hidden), nn.ReLU(), nn.Dropout(config.dropout)]
        width = config.hidden
    return nn.Sequential(*parts, nn.Linear(width, 10))


def main() -> None:
    """Search, combine, explain."""
    folder = Path(tempfile.mkdtemp()) / "study"
    with rp.tune(model, "digits", space, trials=22, epochs=9, out=folder) as study:
        best = study.best
        print(f"best trial {best.id}: {dict(best.config)}")
        print(f"validation log loss {best.metrics['log_loss']:.4f}")
        found = study.results().ensemble
        print(f"ensemble of {len(found.members)}: test accuracy {found.test['accuracy']:.4f}")
        study.ensemble().save(folder / "ensemble")
        print(f"report: {study.report()}")


if __name__ == "__main__":
    main()
