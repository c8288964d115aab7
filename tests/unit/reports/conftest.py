import math

import numpy as np
import pytest

from ripieno.records import Config, Objective, Trial, TrialStatus
from ripieno.reports import Answers, Scores, Selection, Summary
from ripieno.reports.summary import ranked
from ripieno.space import Categorical, Float, Int, Space


@pytest.fixture
def trial():
    """Builds a trial out of the values of one metric, epoch by epoch."""

    def build(number, *values, metric="log_loss", config=None, status=None, **fields):
        history = tuple({metric: value} for value in values)
        return Trial(
            number,
            Config(config or {"lr": 0.01}),
            status or (TrialStatus.PAUSED if values else TrialStatus.RUNNING),
            **{"history": history, "finished_at": float(number), **fields},
        )

    return build


@pytest.fixture
def space():
    return Space(
        width=Int(8, 64, log=True),
        optimizer=Categorical("sgd", "adam"),
        lr=Float(1e-4, 1.0, log=True),
        momentum=Float(0.0, 0.99).when(optimizer="sgd"),
        dropout=Float(0.0, 0.6),
    )


@pytest.fixture
def minimize():
    return Objective("log_loss")


@pytest.fixture
def study(space):
    """A small search with rungs, a diverged and a failed trial, an ensemble and answers."""

    def build(count=30, **changes):
        rng = np.random.default_rng(0)
        trials = []
        for number, config in enumerate(space.sample(rng, count)):
            epochs = (1, 3, 9)[min(2, int(rng.integers(5)) // 2)]
            loss = 0.1 + abs(math.log10(config["lr"]) + 2)
            rows = tuple(
                {
                    "log_loss": loss + 1 / epoch,
                    "train_loss": loss + 0.8 / epoch,
                    "accuracy": 1 / (1 + loss),
                }
                for epoch in range(1, epochs + 1)
            )
            status, error = TrialStatus.PAUSED, None
            if number == 3:
                status, error = TrialStatus.DIVERGED, "the loss is nan"
            if number == 4:
                status, error = TrialStatus.FAILED, "RuntimeError: no such layer\n  in model"
            trials.append(
                Trial(
                    number,
                    config,
                    status,
                    history=rows,
                    seconds=0.5 * epochs,
                    finished_at=float(number + 1),
                    error=error,
                )
            )
        best = [trial.id for trial in ranked(tuple(trials), Objective("log_loss"))[:3]]
        y = rng.integers(3, size=60)
        single = rng.dirichlet(np.ones(3), 60) + 1.5 * np.eye(3)[y]
        single /= single.sum(axis=1, keepdims=True)
        ensemble = 0.7 * single + 0.3 * np.eye(3)[y]
        fields = {
            "title": "a study",
            "objective": Objective("log_loss"),
            "trials": tuple(trials),
            "space": space,
            "scheduler": "hyperband",
            "searcher": "random",
            "seed": 0,
            "seconds": 40.0,
            "single": Scores(test={"log_loss": 0.5, "accuracy": 0.9}),
            "ensemble": Selection(
                tuple(best),
                (0.5, 0.3, 0.2),
                Scores({"log_loss": 0.3, "accuracy": 0.95}, {"log_loss": 0.4, "accuracy": 0.93}),
                tuple(Scores({"log_loss": 0.5 + i}, {"log_loss": 0.6 + i}) for i in range(3)),
            ),
            "answers": Answers(y, single, ensemble, ("ant", "bee", "cow")),
            "data": {"training rows": "180"},
            "environment": {"Ripieno": "0.1.0"},
        }
        return Summary(**{**fields, **changes})

    return build
