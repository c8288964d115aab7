"""A real study under random kills, freezes, full disks and crashes of its database.

The long run is by hand: ``RIPIENO_CHAOS_FAULTS=200 pytest tests/chaos``.
"""

import os
import subprocess
import sys
import uuid
from collections import Counter

import pytest

from chaos.harness import DRIVER, Chaos, table

FAULTS = int(os.environ.get("RIPIENO_CHAOS_FAULTS", "5"))
MOST_AT_ONE_STUDY = 40
PAUSE = 0.05 if FAULTS < MOST_AT_ONE_STUDY else 0.3
SECONDS = 600


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm") / "study"
    environment = {**os.environ, "RIPIENO_CHAOS_LOG": os.devnull}
    command = [sys.executable, DRIVER, folder, "", "2", "0.0"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return table(folder)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_study_survives_everything(database, undisturbed, request, tmp_path):
    server = request.getfixturevalue("own_postgres") if database == "postgres" else None
    seed = int(os.environ.get("RIPIENO_CHAOS_SEED", "1"))
    done = Counter()
    while done.total() < FAULTS:
        storage = server.url(f"chaos_{uuid.uuid4().hex}") if server else ""
        chaos = Chaos(
            tmp_path / f"study-{seed}", seed=seed, storage=storage, server=server, pause=PAUSE
        )
        chaos.run(min(FAULTS - done.total(), MOST_AT_ONE_STUDY), seconds=SECONDS)
        chaos.check(undisturbed)
        done += chaos.faults
        seed += 1
    sys.stdout.write(f"{seed - 1} studies, {dict(done)}\n")
