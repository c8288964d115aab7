"""Population-based training against the best constant learning rate, on an exact problem."""

import numpy as np

from ripieno.records import Objective, Outcome, OutcomeStatus
from ripieno.schedulers import PopulationBased
from ripieno.searchers import Random
from ripieno.space import Float, Space

SPACE = Space(lr=Float(1e-3, 1.0, log=True))
EPOCHS = 90


def step(square, lr):
    """The mean of w^2 after a step of SGD on w^2 / 2 with gradient noise of variance 1."""
    return (1.0 - lr) ** 2 * square + lr**2


def train(rates):
    """Return the loss after training with a learning rate an epoch, from w^2 = 100."""
    square = 100.0
    for lr in rates:
        square = step(square, lr)
    return square


def evolve(*, population, seed):
    """Run a search whose trials' states are exact, and return the best last loss."""
    scheduler = PopulationBased(
        Random(SPACE, seed),
        Objective("loss"),
        space=SPACE,
        epochs=EPOCHS,
        population=population,
        interval=3,
        seed=seed,
    )
    states, spent = {}, 0
    while orders := scheduler.ask(population):
        # As in the loop: a state is read when the order is given.
        begins = [
            states.get(order.trial if order.parent is None else order.parent, 100.0)
            for order in orders
        ]
        for order, begin in zip(orders, begins, strict=True):
            squares = [begin]
            for _ in range(order.epochs):
                squares.append(step(squares[-1], order.config.lr))
            states[order.trial] = squares[-1]
            spent += order.epochs
            rows = tuple({"loss": square} for square in squares[1:])
            scheduler.tell(Outcome(order, OutcomeStatus.DONE, rows))
    return min(states.values()), spent


def test_it_beats_every_constant_learning_rate_with_the_same_epochs():
    constants = [train([lr] * EPOCHS) for lr in np.geomspace(1e-3, 1.0, 400)]
    falling = train([1.0 / (1.0 + 1.0 / 100.0 + epoch) for epoch in range(EPOCHS)])
    found = []
    for seed in range(5):
        best, spent = evolve(population=20, seed=seed)
        assert spent == 20 * EPOCHS
        found.append(best)
    assert falling < min(found), "nothing beats the optimal schedule"
    assert max(found) < 0.75 * min(constants)
