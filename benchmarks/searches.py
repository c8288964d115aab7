"""The two searches that race in ``end_to_end.py``, each as its user would write it.

Run by ``end_to_end.py`` as processes of their own. Each prints a line of JSON for every
measurement on the validation part as soon as it has it, with the clock that all processes of
the machine share: ``{"at": 12.3, "trial": 4, "epoch": 3, "accuracy": 0.98, "log_loss": 0.1}``.
Both train the CNN of ``ripieno.recipes.cnn`` on the digits, with its space and its default
config first, on the same training part, and are measured on the same validation part.
"""

import json
import math
import sys
import time
from typing import Any

__all__ = ["EPOCHS", "create_study", "open_storage"]

EPOCHS = 27
ETA = 3
LEARNING_RATES = {"sgd": (1e-3, 0.3), "adam": (1e-4, 0.03), "rmsprop": (1e-4, 0.03)}
"""What the space's two constraints leave of its range; a search need not stumble over them."""
TRAINING = frozenset(
    {"optimizer", "lr", "momentum", "weight_decay", "batch_size"}
    | {"schedule", "schedule_gamma", "schedule_power"}
)
"""The hyperparameters of training that the hand-written loop understands."""


def say(**measured: float) -> None:
    """Print a measurement."""
    print(json.dumps({"at": time.monotonic(), **measured}), flush=True)


def ripieno(race: dict[str, Any]) -> None:
    """Search with ``rp.tune``: it is told a target and stops there.

    An outcome counts when the study has recorded it, with the last epoch of its order: what
    ``rp.tune`` itself compares with the target.
    """
    import ripieno as rp
    from ripieno.ledger import SqlLedger
    from ripieno.records import Outcome

    record = SqlLedger.record

    def watched(ledger: SqlLedger, **given: Any) -> list[Outcome]:
        final = record(ledger, **given)
        for outcome in given.get("outcomes", ()):
            if outcome.metrics:
                last = {name: outcome.metrics[-1][name] for name in ("accuracy", "log_loss")}
                say(trial=outcome.order.trial, epoch=outcome.reached, **last)
        return final

    SqlLedger.record = watched  # type: ignore[method-assign]
    rp.tune(
        "cnn",
        "digits",
        metric=race["metric"],
        target=race["target"],
        minutes=race["limit"] / 60,
        epochs=EPOCHS,
        seed=race["seed"],
        out=race["folder"],
        progress=False,
        **race["options"],
    )


def with_optuna(race: dict[str, Any]) -> None:
    """Search with Optuna's TPE and Hyperband; one of the processes that share a storage."""
    import optuna
    import torch

    from ripieno.recipes import cnn, load

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    data = load("digits", seed=race["seed"])
    recipe = cnn(data)
    parts = {
        name: (torch.from_numpy(part.x), torch.from_numpy(part.y))
        for name, part in (("training", data.train), ("validation", data.validation))
    }

    def objective(trial: optuna.Trial) -> float:
        config = recipe.space.config(suggest(trial, recipe.space))
        torch.manual_seed(1_000 * race["seed"] + trial.number)
        value = math.nan
        for epoch, measured in enumerate(trained(recipe.model(config), config, **parts), 1):
            say(trial=trial.number, epoch=epoch, **measured)
            value = measured[race["metric"]]
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study = optuna.load_study(
        study_name="race",
        storage=open_storage(race["storage"], race["folder"]),
        # Two processes with one seed would suggest the same configs.
        sampler=optuna.samplers.TPESampler(seed=10 * race["seed"] + race["worker"]),
        pruner=optuna.pruners.HyperbandPruner(1, EPOCHS, ETA),
    )
    study.optimize(objective, timeout=race["limit"])


def trained(module: Any, config: Any, *, training: Any, validation: Any) -> Any:
    """Train a model; yield its accuracy and log loss on the validation part every epoch."""
    import torch
    from torch.nn.functional import cross_entropy

    x, y = training
    size, lr = config["batch_size"], config["lr"]
    steps = math.ceil(len(y) / size)
    optimizer = optimizer_of(module, config)
    for epoch in range(EPOCHS):
        module.train()
        for step, rows in enumerate(torch.randperm(len(y)).split(size)):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor(config, (epoch + step / steps) / EPOCHS)
            optimizer.zero_grad()
            cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
        module.eval()
        with torch.no_grad():
            logits = module(validation[0])
        loss = cross_entropy(logits, validation[1]).item()
        right = (logits.argmax(1) == validation[1]).double().mean().item()
        # Where a model diverged, there is nothing to compare, and Optuna takes no NaN.
        yield {"accuracy": right, "log_loss": loss if math.isfinite(loss) else 1e9}


def optimizer_of(module: Any, config: Any) -> Any:
    """Return the config's optimizer, in torch's quickest form for small models on a CPU."""
    import torch

    common = {"lr": config["lr"], "weight_decay": config["weight_decay"]}
    match config["optimizer"]:
        case "sgd":
            momentum = config["momentum"]
            return torch.optim.SGD(module.parameters(), **common, momentum=momentum, fused=True)
        case "adam":
            return torch.optim.Adam(module.parameters(), **common, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(module.parameters(), **common)
    raise SystemExit(f"the hand-written loop knows no optimizer {config['optimizer']!r}.")


def factor(config: Any, progress: float) -> float:
    """Return what the learning rate is multiplied with, ``progress`` going from 0 to 1."""
    match config["schedule"]:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * progress))
        case "exponential":
            return float(config["schedule_gamma"] ** (progress * EPOCHS))
        case "polynomial":
            return float((1.0 - progress) ** config["schedule_power"])
    raise SystemExit(f"the hand-written loop knows no schedule {config['schedule']!r}.")


def suggest(trial: Any, space: Any) -> dict[str, Any]:
    """Ask Optuna for a config of the space: its domains, conditions and constraints."""
    from ripieno.recipes import KNOBS
    from ripieno.space import Float, Int

    values: dict[str, Any] = {}
    for name, domain in space.items():
        if name in KNOBS and name not in TRAINING:
            raise SystemExit(f"the hand-written loop does not know {name!r}.")
        if any(values.get(parent, ...) not in allowed for parent, allowed in domain.conditions):
            continue
        if name == "lr":
            low, high = LEARNING_RATES[values["optimizer"]]
            values[name] = trial.suggest_float(name, low, high, log=True)
        elif isinstance(domain, Float):
            values[name] = trial.suggest_float(name, domain.low, domain.high, log=domain.log)
        elif isinstance(domain, Int):
            values[name] = trial.suggest_int(name, domain.low, domain.high, log=domain.log)
        else:
            values[name] = trial.suggest_categorical(name, domain.choices)
    return values


def open_storage(kind: str, folder: str) -> Any:
    """Return one of the two storages that processes of one machine can share."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    if kind == "journal":
        return optuna.storages.JournalStorage(JournalFileBackend(f"{folder}/optuna.log"))
    return optuna.storages.RDBStorage(f"sqlite:///{folder}/optuna.db")


def create_study(kind: str, folder: str, *, metric: str, first: dict[str, Any]) -> None:
    """Begin a study whose first trial is ``first``, before the clock runs."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = "maximize" if metric == "accuracy" else "minimize"
    study = optuna.create_study(
        study_name="race", storage=open_storage(kind, folder), direction=direction
    )
    if first:
        study.enqueue_trial(first)


def nothing(race: dict[str, Any]) -> None:
    """Train nothing, and report nine numbers a trial: what the storage alone costs."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(
        study_name="race",
        storage=open_storage(race["storage"], race["folder"]),
        sampler=optuna.samplers.RandomSampler(seed=race["worker"]),
        pruner=optuna.pruners.HyperbandPruner(1, EPOCHS, ETA),
    )

    def objective(trial: optuna.Trial) -> float:
        value = sum(trial.suggest_float(f"x{index}", 0.0, 1.0) for index in range(12))
        for epoch in range(1, 10):
            trial.report(value, epoch)
            trial.should_prune()
        return value

    say(trial=-1)  # ready
    study.optimize(objective, n_trials=race["trials"])
    say(trial=race["trials"])


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    {"ripieno": ripieno, "optuna": with_optuna, "nothing": nothing}[arguments["side"]](arguments)
