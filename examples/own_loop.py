"""Search with a training loop of your own: Hyperband over any Python function.

Run: python examples/own_loop.py
"""

import numpy as np

import ripieno as rp

space = rp.Space(
    lr=rp.Float(1e-3, 10.0, log=True),
    momentum=rp.Float(0.0, 0.95),
)


def objective(config: rp.Config, report) -> None:
    """Minimise a narrow valley by gradient descent, and go on where it was left."""
    stored = report.load()
    point = stored["point"] if stored else np.array([-1.0, 1.0])
    velocity = stored["velocity"] if stored else np.zeros(2)
    for epoch in range(report.start, report.epochs):
        gradient = np.array([point[0], 25.0 * point[1]])
        velocity = config.momentum * velocity - 0.1 * config.lr * gradient
        point = point + velocity
        report.save(epoch=epoch + 1, point=point, velocity=velocity)
        report(epoch=epoch + 1, loss=0.5 * (point[0] ** 2 + 25.0 * point[1] ** 2))


def main() -> None:
    """Search and print the best three."""
    study = rp.search(
        objective, space, metric="loss", scheduler="hyperband", searcher="sobol",
        trials=98, epochs=27,
    )  # fmt: skip
    frame = study.to_dataframe().sort_values("loss")
    print(frame[["trial", "config_lr", "config_momentum", "epochs", "loss"]].head(3))


if __name__ == "__main__":
    main()
