"""One driver of a study under chaos: ``python driver.py FOLDER STORAGE WORKERS PAUSE``.

Whatever it trains is said into the pipe RIPIENO_CHAOS_LOG. RIPIENO_CHAOS_CLOCK lets the wall clock
jump about, RIPIENO_CHAOS_SLOW lets a file take long to be in its place, and with
RIPIENO_CHAOS_FULL no file grows beyond so many bytes.
"""

import os
import random
import resource
import sys
import time
from pathlib import Path

from diary import say

import ripieno as rp
from ripieno.errors import RipienoError

LOG = Path(os.environ["RIPIENO_CHAOS_LOG"])


def objective(config, report):
    saved = report.load()
    loss = float(saved["loss"]) if saved else 2.0
    say(LOG, "begins", config, report.start)
    for epoch in range(report.start + 1, report.epochs + 1):
        time.sleep(PAUSE)
        loss = loss * 0.8 + 0.1 * (config["x"] - 0.3) ** 2
        report.save(epoch=epoch, loss=loss, ballast=[0.0] * 500)
        say(LOG, "trained", config, epoch)
        report(epoch=epoch, loss=loss)


def disturb():
    """Let the clock jump, and the disk take its time."""
    real_time, real_replace, dice = time.time, os.replace, random.Random(os.getpid())
    if os.environ.get("RIPIENO_CHAOS_CLOCK"):
        time.time = lambda: real_time() + dice.choice((-86400.0, 0.0, 3600.0))
    if os.environ.get("RIPIENO_CHAOS_SLOW"):

        def replace(*arguments, **more):
            time.sleep(dice.uniform(0.0, 0.2))
            return real_replace(*arguments, **more)

        os.replace = replace
    full = os.environ.get("RIPIENO_CHAOS_FULL")
    if full:
        # No file of this process and its workers can grow beyond: writes fail as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(full), resource.RLIM_INFINITY))


def main():
    folder, storage, workers, _ = sys.argv[1:]
    disturb()
    try:
        study = rp.search(
            objective,
            rp.Space(x=rp.Float(0.0, 1.0)),
            metric="loss",
            scheduler="hyperband",
            trials=49,
            epochs=27,
            seed=3,
            workers=int(workers),
            out=folder,
            storage=storage or None,
        )
    except RipienoError as error:
        if "already holds a study" not in str(error):
            raise
        # Nobody runs it just now, or it is done: go on with it.
        study = rp.open(folder, objective=objective, storage=storage or None)
        study.run(workers=int(workers), progress=False)
    role = "led" if study.helped is None else "helped"
    sys.stdout.write(f"{role} {study.finished}\n")
    study.close()


PAUSE = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0

if __name__ == "__main__":
    main()
