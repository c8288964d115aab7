"""A maker of your own: one class with one method.

Run: python examples/own_maker.py
"""

from dataclasses import dataclass

import ripieno as rp
from ripieno.ensembles import DeepEnsemble, Ensemble
from ripieno.recipes import mlp


@dataclass(frozen=True)
class Survivors:
    """Train some more members than are wanted, and keep those that validate best."""

    members: int = 4
    spare: int = 4

    def make(self, recipe, data, configs, *, seed: int = 0) -> Ensemble:
        """Return an equal vote of the members that survive."""
        pool = DeepEnsemble(self.members + self.spare).make(recipe, data, configs, seed=seed)
        said = pool.predictions(data.validation)  # rows that no member was trained on
        right = (said.probabilities.argmax(axis=2) == said.targets).mean(axis=1)
        best = [pool.members[member] for member in right.argsort()[-self.members :]]
        return pool.replaced(members=best, weights=[1.0] * self.members, rule=None, facts=None)


def main() -> None:
    """Compare it with an ordinary deep ensemble of as many members."""
    data, config = rp.load_data("digits"), rp.Config({"width": 48, "lr": 3e-3})
    recipe = rp.Recipe(model=mlp(data).model, epochs=4, name="mlp")
    for maker in (DeepEnsemble(4), Survivors(4)):
        print(f"{maker}: {maker.make(recipe, data, config).score(data.test)}")


if __name__ == "__main__":
    main()
