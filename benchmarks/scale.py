"""A search on ten thousand simulated workers: what the scheduler costs, order after order.

ASHA gives a million orders to workers that fail, straggle and take times of their own, on a
virtual clock (``ripieno.testing.simulate_cluster``); nothing is trained. Written down are the
processor time of the scheduler and of its random searcher for an order, twenty times along
the way, the workers' utilisation while there were orders, and the peak memory of the process.

    python benchmarks/scale.py [--orders 1000000] [--workers 10000] [--scheduler asha]
"""

import argparse
import itertools
import math
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import RESULTS, circumstances, write
from drawing import Bars, bars

from ripieno.records import Metrics, Objective, Order
from ripieno.schedulers import make_scheduler
from ripieno.searchers import Random
from ripieno.space import Float, Int, Space
from ripieno.testing import Cluster, simulate_cluster

EPOCHS = 81
SPACE = Space(lr=Float(1e-4, 1.0, log=True), dropout=Float(0.0, 0.6), width=Int(8, 256, log=True))


def main() -> None:
    """Measure, print, draw and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=10_000)
    parser.add_argument("--scheduler", choices=("asha", "hyperband", "median"), default="asha")
    arguments = parser.parse_args()
    results = circumstances(["ripieno", "numpy"])
    scheduler = make_scheduler(
        arguments.scheduler, Random(SPACE, seed=0), Objective("loss"), epochs=EPOCHS
    )
    cluster = Cluster(
        arguments.workers,
        metrics=loss,
        seconds=seconds,
        failures=0.01,
        stragglers=0.02,
        slowdown=10.0,
    )
    began = time.perf_counter()
    done = simulate_cluster(scheduler, cluster, most_orders=arguments.orders)
    wall = time.perf_counter() - began
    costs = [
        {
            "orders": after[0],
            "microseconds": round(1e6 * (after[1] - before[1]) / (after[0] - before[0]), 2),
        }
        # From the second look on: the first one is that of filling the workers.
        for before, after in itertools.pairwise(done.looks)
    ]
    results |= {
        "what": "processor time of the scheduler and its searcher an order, in microseconds",
        "scheduler": arguments.scheduler,
        "workers": arguments.workers,
        "orders": done.orders,
        "epochs": done.epochs,
        "wall_seconds": round(wall, 1),
        "virtual_seconds": round(done.seconds, 1),
        "utilisation": round(done.utilisation, 4),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "cost_by_orders": costs,
    }
    print(
        f"{done.orders:,} orders on {done.workers:,} workers in {wall:.0f} s: "
        f"{costs[0]['microseconds']:.0f} us an order at first, {costs[-1]['microseconds']:.0f} us "
        f"at last; utilisation {done.utilisation:.3f}; {results['peak_gib']:.2f} GiB"
    )
    print(f"written to {write('scale', results)} and {draw(results)}")


def loss(order: Order, epoch: int) -> Metrics:
    """Return a loss that depends on the config and falls with the epochs."""
    config = order.config
    level = (math.log10(config["lr"]) + 2.5) ** 2 / 6 + config["dropout"] / 3
    return {"loss": level + math.exp(-epoch * (0.02 + config["width"] / 600))}


def seconds(order: Order) -> float:
    """Return the virtual seconds of an order: wide models are slow."""
    return order.epochs * (0.5 + order.config["width"] / 128)


def draw(results: Mapping[str, Any]) -> Path:
    """Draw the cost of an order along the way, beside that of the first orders."""
    costs = results["cost_by_orders"]
    first = costs[0]["microseconds"]
    return bars(
        RESULTS / "scale.svg",
        [
            Bars(f"up to {cost['orders']:,}", {results["scheduler"]: cost["microseconds"] / first})
            for cost in costs
        ],
        title=f"{results['orders']:,} orders on {results['workers']:,} simulated workers",
        caption=f"processor time an order; 1x is {first:.0f} us, of the first orders",
        axis="cost of an order beside that of the first ones",
    )


if __name__ == "__main__":
    main()
