"""Finding again what a study trains."""

from ripieno.errors import StudyError
from ripieno.recipes import Reading
from ripieno.space import Space
from ripieno.study.inputs import DataInput, ModelInput, read_data, read_recipe
from ripieno.study.jobs import TuneJob
from ripieno.study.metric import MetricInput, find_aim_again
from ripieno.study.settings import Settings

__all__ = ["find_job"]


def find_job(
    settings: Settings,
    space: Space,
    *,
    model: ModelInput | None,
    data: DataInput | None,
    metric: MetricInput | None,
) -> TuneJob | None:
    """Return what a tuned study trains, or None where it cannot be found again."""
    reference = settings.data
    assert reference is not None  # noqa: S101 - a tuned study always has data
    if settings.metric_source == "custom" and model is data is metric is None:
        return None
    model = model if model is not None else settings.recipe
    data = data if data is not None else reference.source
    if model == "custom" or model is None or data is None:
        return None
    reading = Reading.from_dict({**reference.reading, "target": reference.target})
    read, _ = read_data(data, reading, seed=settings.seed, folds=settings.folds)
    if read.fingerprint != reference.fingerprint:
        raise StudyError(
            "the data are not those that the study was begun with.",
            where=f"data {reference.source or 'from Python'}",
            fix="bring the original data back, or start a new study with the new ones.",
        )
    recipe, _, _ = read_recipe(
        model, read, space=space, epochs=settings.epochs, epoch_rows=settings.epoch_rows
    )
    aim = find_aim_again(settings, metric, recipe=recipe, data=read)
    return TuneJob(aim.recipe, read, settings.seeds)
