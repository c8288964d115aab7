"""Plan a search on a hundred workers before you rent them: a simulator with a virtual clock.

Run: python examples/simulated_search.py
"""

import math

import ripieno as rp
from ripieno.testing import Problem, simulate

space = rp.Space(
    lr=rp.Float(1e-4, 1.0, log=True),
    width=rp.Int(16, 1024, log=True),
    dropout=rp.Float(0.0, 0.6),
)


def loss(config: rp.Config, epoch: int, repeat: int) -> float:
    """Guess a learning curve; a table of real ones would stand here as well."""
    if config.lr > 0.5:
        return math.nan  # diverges
    level = 0.1 + 0.05 * math.log10(config.lr / 0.01) ** 2 + 0.2 * (config.dropout - 0.2) ** 2
    level += 0.03 * math.log2(config.width / 256) ** 2 / 4
    noise = 0.01 * math.sin(97 * repeat + epoch)
    return level + (1 + noise) * math.exp(-0.2 * epoch)


problem = Problem(
    name="a guess",
    space=space,
    measure=loss,
    epochs=27,
    repeats=3,
    seconds=lambda config: 20 + config.width / 10,  # of an epoch
)


def main() -> None:
    """Compare schedulers at six hours on 100 workers of which some fail and some are slow."""
    for scheduler in ("full", "hyperband", "asha"):
        done = simulate(
            problem, scheduler=scheduler, searcher="sobol", most_seconds=6 * 3600, workers=100,
            failures=0.02, lost=0.01, stragglers=0.05, slowdown=3.0, tail=1.5, seed=0,
        )  # fmt: skip
        hours = [1, 2, 4, 6]
        best = done.best_after([3600 * hour for hour in hours], axis="seconds")
        curve = ", ".join(
            f"{value:.4f} after {hour} h" for hour, value in zip(hours, best, strict=True)
        )
        print(
            f"{scheduler}: {done.orders:,} orders, {done.epochs:,} epochs, workers busy "
            f"{done.utilisation:.1%}, {done.lost} lost attempts; best {curve}"
        )


if __name__ == "__main__":
    main()
