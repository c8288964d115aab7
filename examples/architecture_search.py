"""Search the architecture of a small network for the digits, and train it from scratch.

Run: python examples/architecture_search.py
"""

import numpy as np
import torch

import ripieno as rp
from ripieno.nas import (
    ArchitectureFactory,
    SearchEpoch,
    cell_space,
    measure_cost,
    nas,
    score,
    search_supernet,
    to_cell_string,
)


def tell(epoch: SearchEpoch) -> None:
    """Print what there is to see of a search by gradient."""
    print(
        f"training loss {epoch.train_loss:.2f}, held-out loss {epoch.loss:.2f}, "
        f"{epoch.skips} shortcuts, eigenvalue {epoch.eigenvalue:.2g}"
    )


def main() -> None:
    """Look at some architectures untrained, search one by gradient, and train it."""
    data = rp.load_data("digits", seed=0)
    space = cell_space(filters=4, stages=2, global_pool="none")
    factory = ArchitectureFactory(data.shape, data.outputs)

    print("untrained networks: parameters, operations, synflow")
    batch = torch.from_numpy(data.train.x[:32]), torch.from_numpy(data.train.y[:32])
    torch.manual_seed(0)
    for config in space.sample(np.random.default_rng(0), 3):
        network = factory(config)
        cost = measure_cost(network, data.shape)
        flow = score("synflow", network, batch)
        print(f"{cost.parameters:6,} {cost.flops:9,} {flow:6.1f}  {to_cell_string(config)}")

    print("one supernet for all of them")
    found = search_supernet(space, data, "drnas", epochs=8, lr=0.1, alpha_lr=0.03, report=tell)
    print(f"found {to_cell_string(found.config)}")

    with rp.tune(
        "nas",
        data,
        nas(data, space).space,
        fixed=found.config,
        scheduler="full",
        trials=1,
        epochs=9,
        seed=0,
        out=":memory:",
        progress=False,
    ) as study:
        results = study.finish()
        print(f"trained from scratch: test accuracy {results.best.test['accuracy']:.3f}")


if __name__ == "__main__":
    main()
