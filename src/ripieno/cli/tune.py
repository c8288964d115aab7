"""``ripieno tune``: from data to a tuned model, an ensemble and a report."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ripieno.cli.data_options import (
    Categorical,
    ClassWeights,
    DataWords,
    Drop,
    Fixed,
    Groups,
    ImageSize,
    Numeric,
    RawTargets,
    Target,
    TaskChoice,
    Time,
)
from ripieno.cli.devices_option import Device, Devices, count_gpus
from ripieno.cli.errors import said_plainly
from ripieno.cli.executor_option import Address, Executor, printing_aside
from ripieno.cli.storage_option import Artifacts, Disk, OrderMinutes, Storage

__all__ = ["EnsembleName", "SchedulerName", "SearcherName", "tune"]


class SchedulerName(StrEnum):
    """The schedulers that the command knows by name."""

    FULL = "full"
    HALVING = "halving"
    HYPERBAND = "hyperband"
    BOHB = "bohb"
    ASHA = "asha"
    MEDIAN = "median"
    PBT = "pbt"
    FREEZETHAW = "freezethaw"


class SearcherName(StrEnum):
    """The searchers that the command knows by name."""

    AUTO = "auto"
    RANDOM = "random"
    GRID = "grid"
    SOBOL = "sobol"
    TREEPARZEN = "treeparzen"
    GAUSSIANPROCESS = "gaussianprocess"
    CMAES = "cmaes"
    EVOLUTION = "evolution"
    LOCALSEARCH = "localsearch"
    REINFORCE = "reinforce"
    BANANAS = "bananas"


class EnsembleName(StrEnum):
    """The ways of combining trials that the command knows by name."""

    GREEDY = "greedy"
    SOFT = "soft"
    HARD = "hard"
    GEOMETRIC = "geometric"
    WEIGHTED = "weighted"
    STACKING = "stacking"
    BLENDING = "blending"
    DYNAMIC = "dynamic"
    MEDIAN = "median"
    MIXTURE = "mixture"
    NONE = "none"


class ObjectiveName(StrEnum):
    """What trials are compared by."""

    METRIC = "metric"
    ENSEMBLE = "ensemble"


def tune(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            help="[bold]digits[/bold], a .csv, .parquet or .npz file, a folder of images with a "
            "sub-folder a class, or FILE.py:NAME (a function that returns data).",
            show_default=False,
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="cnn, mlp, nas, resnet, or FILE.py:NAME (a rp.Recipe, or a function of the "
            "data that returns one). Images take cnn, tables take mlp.",
            show_default=False,
        ),
    ] = None,
    scheduler: Annotated[
        SchedulerName,
        typer.Option(
            help="Who trains how long. [bold]hyperband[/bold]: many a little, the best on, the "
            "same on any number of workers; [bold]bohb[/bold]: with a searcher that learns; "
            "[bold]halving[/bold]: one such round; "
            "[bold]asha[/bold]: likewise, but nobody waits; [bold]freezethaw[/bold]: whoever's "
            "curve promises most; [bold]median[/bold]: all, until worse than the median; "
            "[bold]pbt[/bold]: --trials models side by side, the worst become changed copies of "
            "the best; [bold]full[/bold]: all to the end."
        ),
    ] = SchedulerName.HYPERBAND,
    searcher: Annotated[
        SearcherName,
        typer.Option(
            help="Which configuration is tried next. [bold]random[/bold], [bold]sobol[/bold] "
            "(evenly), [bold]grid[/bold] (all); [bold]treeparzen[/bold]: where the good ones are "
            "dense; [bold]gaussianprocess[/bold]: a model, for trials that are dear; "
            "[bold]cmaes[/bold]: many trials over numbers; [bold]evolution[/bold], "
            "[bold]localsearch[/bold]: changed copies of good ones, for architectures; "
            "[bold]reinforce[/bold]: a policy; [bold]bananas[/bold]: an ensemble of networks that "
            "predicts; [bold]auto[/bold]: by trials and space, and it says why.",
        ),
    ] = SearcherName.RANDOM,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Configurations at most [49 without --minutes, 143 on small data].",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs a trial at most [27; 81 below 1,000 training rows, or beyond 20,000 "
            "with 15 minutes].",
            show_default=False,
        ),
    ] = None,
    epoch_rows: Annotated[
        int | None,
        typer.Option(
            min=1, help="Rows an epoch \\[all up to 20,000, else 10,000].", show_default=False
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Wall time at most.", show_default=False)
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="What the search is after, on the validation part: log_loss, accuracy, "
            "balanced_accuracy, f1_macro, auroc, rmse, mae, r2, pinball_0.9, …, or FILE.py:NAME "
            "(a rp.Metric) \\[log_loss; rmse for a regression]. What a model costs: parameters, "
            "flops, latency_ms. Repeatable: the search is then after the front of all of them.",
            show_default=False,
        ),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIMIT",
            help="What a trial has to keep to be the best, such as "
            '[bold]"latency_ms<=5"[/bold] or [bold]"accuracy>=0.9"[/bold]; repeatable.',
            show_default=False,
        ),
    ] = None,
    enqueue: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Configurations to try first: a JSON object, or a list of them.",
            show_default=False,
        ),
    ] = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A study whose trials the searcher learns from.", show_default=False
        ),
    ] = None,
    warm_best: Annotated[
        int, typer.Option(min=0, help="So many of that study's best trials are tried here too.")
    ] = 0,
    target: Target = None,
    groups: Groups = None,
    time: Time = None,
    drop: Drop = None,
    categorical: Categorical = None,
    numeric: Numeric = None,
    image_size: ImageSize = None,
    task: TaskChoice = None,
    raw_targets: RawTargets = False,
    fixed: Fixed = None,
    class_weights: ClassWeights = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Cross-validate each trial on so many stratified folds; its metrics are means "
            "over them \\[one split].",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            help="Models of a trial, or of each of its folds, that differ in their seed alone. "
            "An epoch of all of a trial's models counts as one.",
        ),
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes \\[every usable core].", show_default=False),
    ] = None,
    devices: Devices = 1,
    device: Device = None,
    executor: Executor = None,
    address: Address = None,
    tier: Annotated[
        str,
        typer.Option(
            help="How models of one architecture are trained as one stack: compiled, traced, "
            "leaves, vmap, or auto for the fastest; loop trains one model at a time, equal to "
            "the last bit on any number of workers.",
        ),
    ] = "auto",
    ensemble: Annotated[
        EnsembleName,
        typer.Option(
            help="How the trials are combined at the end: a vote (greedy, soft, weighted, hard, "
            "geometric), a model on top (stacking, blending), a choice row by row (dynamic), of "
            "values median or mixture; none for the best trial alone.",
        ),
    ] = EnsembleName.GREEDY,
    objective: Annotated[
        ObjectiveName,
        typer.Option(
            help="What trials are compared by: their metric, or what they would add to the "
            "ensemble of the trials that were trained to the end before."
        ),
    ] = ObjectiveName.METRIC,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is random.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The study's folder \\[a new one under ripieno-studies].", show_default=False
        ),
    ] = None,
    storage: Storage = None,
    artifacts: Artifacts = None,
    disk: Disk = None,
    order_minutes: OrderMinutes = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the study that --out holds.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as one JSON object.")
    ] = False,
) -> None:
    """Tune a model on data, and leave an ensemble and a report.

    For example [bold]ripieno tune digits[/bold],
    [bold]ripieno tune customers.csv --target churned --minutes 10[/bold], or
    [bold]ripieno tune images.npz --recipe model.py:recipe --trials 81[/bold].

    The search can be stopped at any moment, with Ctrl-C or harder, and goes on with
    [bold]ripieno resume[/bold].
    """
    from ripieno.executors import gather

    with said_plainly():
        # First of all: processes load torch while this one does.
        begun = gather(
            workers,
            executor=executor,
            loads=("ripieno.population",),
            devices=devices,
            device=device or "auto",
            gpus=count_gpus(device) if workers is None else 0,
        )
        crew = context.with_resource(begun)

    from ripieno.cli.inputs import read_configs
    from ripieno.cli.output import print_end
    from ripieno.study import starting_folder
    from ripieno.study import tune as start

    words = DataWords(
        target=target,
        groups=groups,
        time=time,
        drop=drop,
        categorical=categorical,
        numeric=numeric,
        image_size=image_size,
        task=task,
        raw_targets=raw_targets,
        fixed=fixed,
        class_weights=class_weights,
    )
    with said_plainly():
        folder = starting_folder(data, out)
    with said_plainly(folder):
        study = printing_aside(executor)(start)(
            recipe,
            data,
            scheduler=scheduler.value,
            searcher=searcher.value,
            trials=trials,
            epochs=epochs,
            epoch_rows=epoch_rows,
            minutes=minutes,
            metric=metric or None,
            constraints=require or (),
            enqueue=() if enqueue is None else read_configs(enqueue),
            warm_start=warm_start,
            warm_best=warm_best,
            **words.keywords(),
            folds=folds,
            seeds=seeds,
            tier=tier,
            ensemble=ensemble.value,
            objective=objective.value,
            workers=crew,
            devices=devices,
            device=device or "auto",
            executor=executor,
            address=address,
            seed=seed,
            out=folder,
            storage=storage,
            artifacts=artifacts,
            disk=disk,
            order_minutes=order_minutes,
            overwrite=overwrite,
        )
        with study:
            print_end(study, as_json=as_json)
