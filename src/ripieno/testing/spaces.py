"""Small spaces of every kind, for tests of searchers and schedulers."""

from ripieno.space import Categorical, Constant, Float, Int, Space

__all__ = ["example_spaces", "finite_spaces"]


def example_spaces() -> dict[str, Space]:
    """Return one space of each kind, by name: continuous, mixed, conditional, constrained."""
    return {
        "flat": Space(lr=Float(1e-4, 1.0, log=True), dropout=Float(0.0, 0.6)),
        "mixed": Space(
            filters=Int(8, 64, log=True),
            kernel=Categorical(3, 5),
            optimizer=Categorical("sgd", "adam", None),
            nesterov=Categorical(True, False),
            lr=Float(1e-4, 1.0, log=True, default=0.1),
            width=Int(16, 128, step=16),
            dropout=Float(0.0, 0.6, step=0.2),
            epochs=Constant(27),
        ),
        "nested": Space(
            damping=Float(0.0, 0.9).when(nesterov=False),
            nesterov=Categorical(True, False).when(momentum=(0.5, 0.9)),
            momentum=Float(0.0, 0.9, step=0.1).when(optimizer=("sgd", "rmsprop")),
            optimizer=Categorical("sgd", "adam", "rmsprop"),
            lr=Float(1e-5, 1.0, log=True),
        ),
        "constrained": Space(
            filters=Int(1, 64, log=True),
            depth=Int(1, 16),
            low=Float(-1.0, 1.0),
            high=Float(-1.0, 1.0),
        )
        .where("filters * depth <= 128")
        .where(lambda config: bool(config.low <= config.high), "low <= high"),
        **finite_spaces(),
    }


def finite_spaces() -> dict[str, Space]:
    """Return spaces that a grid can walk through, by name; none has more than 200 configs."""
    return {
        "single": Space(epochs=Constant(27), activation=Constant("relu")),
        "finite": Space(kernel=Categorical(3, 5, 7), depth=Int(1, 4), dropout=Constant(0.5)),
        "finite_nested": Space(
            momentum=Float(0.0, 0.9, step=0.3).when(optimizer="sgd"),
            nesterov=Categorical(True, False).when(momentum=0.9),
            optimizer=Categorical("sgd", "adam"),
            depth=Int(1, 5, step=2),
        ),
        "finite_constrained": Space(filters=Int(1, 12), depth=Int(1, 12)).where(
            "filters * depth <= 30"
        ),
    }
