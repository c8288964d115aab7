"""The two ways to begin a study: tune a model, search with a function."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ripieno.errors import StudyError
from ripieno.executors import Crew, check_devices, gathers
from ripieno.population import check_tier
from ripieno.recipes import NumericTransform, Reading, check_device, check_seeds, gpus_for
from ripieno.schedulers import Scheduler, hyperband_trials
from ripieno.searchers import Searcher
from ripieno.space import Space, Value
from ripieno.study.aims import (
    Constraints,
    DirectionInputs,
    MetricInputs,
    find_aims,
    read_goal,
)
from ripieno.study.beginning import Wishes, begin, find_folder, further_metrics, make_strategy
from ripieno.study.changing import ConfigInput, WarmStart
from ripieno.study.disk import read_size
from ripieno.study.fixing import weigh_classes
from ripieno.study.folder import new_folder
from ripieno.study.inputs import DataInput, ModelInput, read_data, read_recipe, refuse_said_twice
from ripieno.study.jobs import SearchJob, TuneJob
from ripieno.study.judging import check_judging
from ripieno.study.methods import check_method
from ripieno.study.places import find_place
from ripieno.study.settings import Settings
from ripieno.study.strategy import name_searcher
from ripieno.study.study import Study
from ripieno.study.unread import warn_of_unread

__all__ = ["search", "starting_folder", "tune"]

IN_MEMORY = ":memory:"
"""As ``out`` of :func:`tune`: keep no folder, as SQLite spells it."""

DEFAULT_TRIALS = 49
"""One full Hyperband of 27 epochs; what a search does that was given no budget at all."""


@gathers(loads=("ripieno.population",), count_gpus=gpus_for)
def tune(
    model: ModelInput | None,
    data: DataInput,
    space: Space | None = None,
    *,
    metric: MetricInputs | None = None,
    direction: DirectionInputs | None = None,
    constraints: Constraints = (),
    searcher: str | Searcher = "random",
    scheduler: str | Scheduler = "hyperband",
    trials: int | None = None,
    epochs: int | None = None,
    epoch_rows: int | None = None,
    minutes: float | None = None,
    target: float | None = None,
    target_column: str | Sequence[str] | None = None,
    groups: str | None = None,
    time_column: str | None = None,
    drop: str | Sequence[str] = (),
    categorical: str | Sequence[str] = (),
    numeric: NumericTransform | None = None,
    image_size: int | tuple[int, int] | None = None,
    task: str | None = None,
    scale_targets: bool = True,
    fixed: Mapping[str, Value] | None = None,
    class_weights: str | None = None,
    folds: int | None = None,
    seeds: int = 1,
    tier: str = "auto",
    ensemble: str = "greedy",
    objective: str = "metric",
    workers: int | Crew | None = None,
    devices: int = 1,
    device: str = "auto",
    executor: str | None = None,
    address: str | None = None,
    seed: int = 0,
    enqueue: Sequence[ConfigInput] = (),
    warm_start: WarmStart | None = None,
    warm_best: int = 0,
    out: str | Path | None = None,
    storage: str | None = None,
    artifacts: str | None = None,
    disk: int | str | None = None,
    order_minutes: float | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Study:
    """Search the hyperparameters of a model's training, and keep all that was trained.

    Args:
        model: ``"cnn"``, ``"mlp"``, ``"resnet"``, ``"nas"``, ``"FILE.py:NAME"``, a recipe,
            or your own function ``model(config)`` that returns an ``nn.Module``; None takes
            ``cnn`` for images and ``mlp`` for tables.
        data: ``"digits"``, a ``.csv``, ``.parquet`` or ``.npz`` file, a folder of images,
            ``"FILE.py:NAME"``, a ``Data``, a pandas DataFrame, a torch ``Dataset``, or arrays
            ``(x, y)`` or ``(x, y, x_test, y_test)``.
        space: What is searched; the recipe's own space where absent.
        metric: What the search is after, on the validation part: a name such as
            ``balanced_accuracy`` or ``mae``, ``"FILE.py:NAME"``, a ``rp.Metric``, or a
            function ``metric(y_true, predictions)`` beside a direction. Where absent,
            ``log_loss``, and ``rmse`` for a regression. Several are a list; ``parameters``,
            ``flops`` and ``latency_ms`` are known too (``docs/objectives.md``).
        direction: ``minimize`` or ``maximize``; a metric by name or a ``rp.Metric`` knows it.
        constraints: What a trial has to keep: ``{"latency_ms": ("<=", 5)}``.
        searcher: Which config next: ``auto``, ``random``, ``grid``, ``sobol``, ``treeparzen``,
            ``gaussianprocess``, ``cmaes``, ``evolution``, ``localsearch``, ``reinforce`` or
            ``bananas``, or your own (``docs/searchers.md``).
        scheduler: Who trains how long: ``hyperband``, ``bohb``, ``halving``, ``full``,
            ``asha``, ``median``, ``pbt`` or ``freezethaw``, or your own (``docs/schedulers.md``).
        trials: Configs at most; without it and without ``minutes``, 49, or one full Hyperband
            of the epochs that the recipe chooses (143 for 81 epochs).
        epochs: Epochs that a trial is trained for at most; where absent the recipe's own:
            27, and 81 below 1,000 training rows, or beyond 20,000 with 15 ``minutes`` or more.
        epoch_rows: Rows of an epoch. Where absent: the whole training part up to 20,000
            rows, and 10,000 beyond, so that a search looks at many configs before it spends
            much on one; the epochs of a trial go through all rows one after the other.
        minutes: Wall time at most, from the call on.
        target: Stop as soon as the metric is this good.
        target_column: The column to predict, for a table; several (a list, or one text with
            commas) are a multi-label task, or a regression of several columns.
        groups: A column of the table; rows with equal values stay in one part.
        time_column: A column of the table; the latest rows are the validation and test part.
        drop: Columns of the table that are not read.
        categorical: Columns of the table that hold categories, whatever they look like.
        numeric: How numeric columns are scaled: ``quantile`` (tables) or ``standardize``
            (arrays).
        image_size: Height and width that a folder's images are resized to.
        task: ``classification``, ``multilabel`` or ``regression``. Where absent the targets
            say it: strings, booleans and whole numbers are classes; floats are a regression,
            unless they are whole and of at most 20 different values; an array of 0 and 1 with
            several columns is multi-label, and one of other numbers a regression.
        scale_targets: Whether a regression is trained on standardised targets; metrics and
            predictions are in the target's own units in any case.
        fixed: Hyperparameters that have one value and are not searched, by name: knobs of
            training, or what the recipe or the space knows.
        class_weights: ``balanced`` weighs classes inversely to their size, and labels, where
            a row has them, by how many rows have them not; ``none`` weighs all alike. Where
            absent, as the recipe, the space or ``fixed`` says.
        folds: Divide all rows but the test part into so many stratified folds. A trial is
            then one model a fold; its metrics are their means, with their spread beside, and
            its predictions are of the whole search part, each row by the model that was not
            trained on it. One split where absent, or that of the ``Data`` that is passed.
        seeds: Train each of a trial's models so many times, each with another seed. An epoch
            of a trial counts as one epoch, however many models it trains.
        tier: How models of one architecture are trained as rows of one stack: ``compiled``,
            ``traced``, ``leaves`` or ``vmap``; ``auto`` takes what a probe finds fastest.
            ``loop`` trains one model after the other: slower, and the same to the last bit
            on any number of workers, where stacks are the same up to rounding.
        ensemble: How the trials are combined at the end: ``greedy``, ``soft``, ``hard``,
            ``geometric``, ``weighted``, ``stacking``, ``blending``, ``dynamic``, ``median``,
            ``mixture``, or ``none`` (``docs/ensembles.md``).
        objective: What trials are compared by: their ``metric``, or what they would add to the
            ``ensemble`` of the trials that were trained to the end before.
        workers: Processes, each with one thread, or a crew of them that have begun to start;
            one for every usable core, or every GPU, where absent.
        devices: Processes that train each trial together, on shares of every batch
            (``docs/several-devices.md``).
        device: Where models are trained: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``
            for CUDA where torch finds it, else the CPU (``docs/devices.md``).
        executor: Where trials are trained: ``inline`` (in this process), ``processes`` or
            ``ray`` (``docs/executors.md``); the first for one worker, else the second.
        address: Of the Ray cluster: ``auto``, ``host:port``, ``ray://host:port`` or ``local``;
            where absent the one that runs here, or else one of this machine's own.
        seed: Of the split, the searcher and every trial.
        enqueue: Configs that are tried first.
        warm_start: A study, its folder, or trials for the searcher to learn from
            (``docs/warm-start.md``).
        warm_best: So many of the best of those are tried here too, first.
        out: The study's folder; a new one under ``ripieno-studies`` where absent. With
            ``":memory:"`` there is none, and what was trained lives as long as the study.
        storage: Where the study is recorded; ``study.db`` in the folder where absent. Such as
            ``postgresql+psycopg://user@host/database`` (``docs/storage.md``).
        artifacts: A place of its own for states and predictions; in the folder where absent.
            Such as ``s3://bucket/study``.
        disk: What states and predictions may take at most, in bytes or as ``"20GB"``. The
            search pauses before that, and goes on with more room (``docs/storage.md``).
        order_minutes: An order, or the stack of orders that it is trained in, that is silent
            for longer hangs: its worker is ended and it is tried once more, then it fails.
        overwrite: Replace a study that ``out`` holds already.
        progress: Show how it goes on standard error.

    Returns:
        The study. If the search is interrupted or killed, ``rp.open(out, …).run()`` or
        ``ripieno resume OUT`` goes on where it stopped.

    Raises:
        DataError, SpaceError, RecipeError, SearchError, StudyError: What was passed cannot be
            used; the message says what, where, and how to mend it.
        KeyboardInterrupt: Ctrl-C; everything that was finished is recorded first.
    """
    begun = time.perf_counter()
    find_place(executor, address, workers, order_minutes=order_minutes)
    check_seeds(seeds, "tune(seeds=…)")
    check_device(device, devices=check_devices(devices), executor=executor)
    reading = Reading(
        target=target_column,
        groups=groups,
        time=time_column,
        drop=drop,
        categorical=categorical,
        numeric=numeric,
        image_size=image_size,
        task=task,
        scale_targets=scale_targets,
    )
    refuse_said_twice(data, reading)
    read, reference = read_data(data, reading, seed=seed, folds=folds)
    recipe, searched, name = read_recipe(
        model,
        read,
        space=space,
        epochs=epochs,
        epoch_rows=epoch_rows,
        minutes=minutes,
        fixed=weigh_classes(class_weights, fixed or {}, read),
    )
    warn_of_unread(recipe)
    if trials is None and minutes is None:
        whole = hyperband_trials(recipe.epochs) if epochs is None else 0
        trials = max(DEFAULT_TRIALS, whole if scheduler in {"hyperband", "bohb"} else 0)
    aims = find_aims(metric, direction, constraints, recipe=recipe, data=read)
    named, reason = name_searcher(searcher, scheduler, space=searched, trials=trials)
    settings = Settings(
        kind="tune",
        metric=aims.goal.first.metric,
        direction=aims.goal.first.direction,
        searcher=named,
        searcher_reason=reason,
        scheduler=scheduler if isinstance(scheduler, str) else "custom",
        epochs=recipe.epochs,
        epoch_rows=recipe.epoch_rows,
        trials=trials,
        minutes=minutes,
        target=target,
        tier=check_tier(tier),
        seed=seed,
        space=searched.to_json(),
        recipe=name,
        data=reference,
        metric_source=aims.sources[0],
        folds=len(read.parts),
        seeds=seeds,
        further=further_metrics(aims.goal, aims.sources),
        limits=aims.goal.limits,
        ensemble=check_method(ensemble, read.task),
        disk_bytes=read_size(disk),
        order_minutes=order_minutes,
        judged_by=check_judging(objective, scheduler if isinstance(scheduler, str) else "custom"),
        devices=devices,
        device=device,
    )
    wishes = Wishes.read(enqueue, warm_start, warm_best, space=searched, goal=aims.goal)
    strategy = make_strategy(searcher, scheduler, settings, space=searched, wishes=wishes)
    path = new_folder(read.name).path if out is None else None if out == IN_MEMORY else out
    folder = find_folder(path, storage, artifacts, where="tune(…)")
    study = begin(
        settings,
        job=TuneJob(aims.recipe, read, seeds),
        space=searched,
        strategy=strategy,
        folder=folder,
        wishes=wishes,
        overwrite=overwrite,
    )
    spent = time.perf_counter() - begun
    return study.run(
        workers=workers, executor=executor, address=address, progress=progress, spent_seconds=spent
    )


def search(
    objective: Callable[..., Any],
    space: Space,
    *,
    metric: str | Sequence[str] = "value",
    direction: DirectionInputs = "minimize",
    constraints: Constraints = (),
    searcher: str | Searcher = "random",
    scheduler: str | Scheduler = "full",
    trials: int | None = None,
    epochs: int = 1,
    minutes: float | None = None,
    target: float | None = None,
    workers: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    seed: int = 0,
    enqueue: Sequence[ConfigInput] = (),
    warm_start: WarmStart | None = None,
    warm_best: int = 0,
    out: str | Path | None = None,
    storage: str | None = None,
    artifacts: str | None = None,
    disk: int | str | None = None,
    order_minutes: float | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Study:
    """Search the arguments of any Python function.

    Args:
        objective: ``objective(config)`` or ``objective(config, report)``; returns a number or
            a dictionary of metrics, and may call ``report(epoch=…, loss=…)`` after each
            epoch. ``report.start`` and ``report.epochs`` say from where and how far to train;
            ``report.save(**arrays)`` and ``report.load()`` let it continue instead of
            starting anew.
        space: What is searched.
        metric: The metric that the search is after, or a list of them; a plain number is
            called ``value``.
        direction: ``minimize`` or ``maximize``, of all metrics or a list of one for each.
        constraints: What a trial has to keep: ``{"latency": ("<=", 5)}``.
        searcher: Which config next: ``auto``, ``random``, ``grid``, ``sobol``, ``treeparzen``,
            ``gaussianprocess``, ``cmaes``, ``evolution``, ``localsearch``, ``reinforce`` or
            ``bananas``, or your own (``docs/searchers.md``).
        scheduler: Who runs how long: ``full``, ``halving``, ``hyperband``, ``bohb``,
            ``asha``, ``median``, ``pbt`` or ``freezethaw``, or your own (``docs/schedulers.md``).
        trials: Configs at most; without it and without ``minutes``, 49, or the whole grid.
        epochs: Epochs that a trial is run for at most.
        minutes: Wall time at most.
        target: Stop as soon as the metric is this good.
        workers: Processes; with 1, or where absent, the function runs in this one.
        executor: As for :func:`tune`; where it is named, ``workers`` is every core if absent.
        address: Of the Ray cluster, as for :func:`tune`.
        seed: Of the searcher.
        enqueue: Configs that are tried first.
        warm_start: A study, its folder, or trials for the searcher to learn from.
        warm_best: So many of the best of those are tried here too, first.
        out: The study's folder; in memory where absent.
        storage: Where the study is recorded, as for :func:`tune`.
        artifacts: Where states lie, as there.
        disk: What the function may keep at most, as for :func:`tune`.
        order_minutes: After how long of silence a call hangs, as for :func:`tune`.
        overwrite: Replace a study that ``out`` holds already.
        progress: Show how it goes on standard error.

    Raises:
        SpaceError, SearchError, StudyError: What was passed cannot be used.
        KeyboardInterrupt: Ctrl-C; everything that was finished is recorded first.
    """
    if not space:
        raise StudyError(
            "the space is empty.",
            where="search(objective, Space())",
            fix="add a hyperparameter: Space(x=rp.Float(0, 1)).",
        )
    find_place(executor, address, workers, order_minutes=order_minutes)
    goal = read_goal(metric, direction, constraints)
    if trials is None and minutes is None and searcher != "grid":
        trials = DEFAULT_TRIALS
    named, reason = name_searcher(searcher, scheduler, space=space, trials=trials)
    settings = Settings(
        kind="search",
        metric=goal.first.metric,
        direction=goal.first.direction,
        searcher=named,
        searcher_reason=reason,
        scheduler=scheduler if isinstance(scheduler, str) else "custom",
        epochs=epochs,
        epoch_rows=None,
        trials=trials,
        minutes=minutes,
        target=target,
        tier=None,
        seed=seed,
        space=space.to_json(),
        further=further_metrics(goal, (None,) * len(goal.objectives)),
        limits=goal.limits,
        disk_bytes=read_size(disk),
        order_minutes=order_minutes,
    )
    wishes = Wishes.read(enqueue, warm_start, warm_best, space=space, goal=goal)
    strategy = make_strategy(searcher, scheduler, settings, space=space, wishes=wishes)
    folder = find_folder(out, storage, artifacts, where="search(…)")
    study = begin(
        settings, job=SearchJob(objective), space=space, strategy=strategy, folder=folder,
        wishes=wishes, overwrite=overwrite,
    )  # fmt: skip
    study.run(workers=workers, executor=executor, address=address, progress=progress)
    if folder is not None and study.helped is None:
        # Known now without a replay of all orders, which a report would have to make.
        study.results()
    return study


def starting_folder(data: str, out: Path | None) -> Path:
    """Return the folder that a study of these data begins in."""
    if out is not None:
        return out
    path, _, name = data.rpartition(":")
    return new_folder(name if path.endswith(".py") else Path(data).absolute().stem).path
