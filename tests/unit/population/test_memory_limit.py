"""A run in a process that may have 1.5 GiB of memory, and not a byte more."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import json, resource, sys
    import numpy as np, torch
    from torch import nn
    import ripieno as rp
    from ripieno.ledger import MemoryArtifacts
    from ripieno.population import PopulationRunner
    from ripieno.recipes import Data, Recipe
    from ripieno.records import Order

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 8)).astype(np.float32)
    data = Data.from_arrays(x, (x[:, 0] > 0).astype(int), seed=0)

    def model(config):  # a million parameters: 60 MB with what AdamW and a step keep of them
        return nn.Sequential(nn.Linear(8, 1000), nn.ReLU(), nn.Linear(1000, 1000),
                             nn.ReLU(), nn.Linear(1000, 2))

    # The limit is for private writable memory, which is what a run takes; the address space
    # is no measure, for torch maps gigabytes that it never touches.
    resource.setrlimit(resource.RLIMIT_DATA, (3 * 2**29, 3 * 2**29))
    try:
        torch.empty(3 * 2**29, dtype=torch.uint8)
    except RuntimeError:
        pass
    else:
        sys.exit("there is no limit here")
    # Most of it is taken, so that the test is short.
    ballast = torch.empty(7 * 2**27, dtype=torch.uint8)
    orders = [Order(trial, rp.Config({"lr": 0.01}), 0, 1) for trial in range(12)]
    for width in (64, "auto"):
        runner = PopulationRunner(Recipe(model=model), data, tier="leaves", width=width)
        found = [
            [o.order.trial, o.status, o.error, o.notes, o.metrics[-1]["log_loss"]]
            for o in runner.run(orders, MemoryArtifacts(), lambda: False)
        ]
        print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits private memory")
def test_a_run_within_a_gigabyte_and_a_half_splits_and_does_not_die(tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "script.py"],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    split, measured = [json.loads(line) for line in done.stdout.splitlines()]
    for found in (split, measured):
        assert [row[:3] for row in found] == [[trial, "done", None] for trial in range(12)]
    assert all("memory ran out with" in row[3] for row in split)
    assert all("memory" in row[3] for row in measured)
    losses = [[row[4] for row in found] for found in (split, measured)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)  # single precision
