"""Small and accurate: a search after two metrics, with a limit, and its front.

Run: python examples/two_objectives.py
"""

from torch import nn

import ripieno as rp

space = rp.Space(
    hidden=rp.Int(2, 128, log=True, default=16),
    lr=rp.Float(1e-3, 0.1, log=True, default=0.01, confidence="medium"),
    dropout=rp.Float(0.0, 0.5),
)


def model(config: rp.Config) -> nn.Module:
    """One hidden layer; ``lr`` configures the training."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, config.hidden), nn.ReLU(), nn.Dropout(config.dropout),
        nn.Linear(config.hidden, 10),
    )  # fmt: skip


def main() -> None:
    """Search twelve trials, then twelve more in a narrower space, and print the front."""
    study = rp.tune(
        model, "digits", space, metric=["log_loss", "parameters"],
        constraints={"accuracy": (">=", 0.5)}, enqueue=[{"hidden": 64}],
        trials=12, epochs=3, workers=1, progress=False,
    )  # fmt: skip
    small = rp.Space(**{**space, "hidden": rp.Int(4, 32, log=True, default=16)})
    study.change_space(small).run(trials=24, workers=1, progress=False)
    print("the front, from the most accurate to the smallest:")
    for trial in study.front:
        loss, parameters = trial.metrics["log_loss"], trial.metrics["parameters"]
        print(f"trial {trial.id}: log loss {loss:.3f}, {parameters:,.0f} parameters")
    study.report("two_objectives.html")


if __name__ == "__main__":
    main()
