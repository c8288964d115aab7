"""The best trials of a study as starting points of one run that tunes them by gradient."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ripieno.errors import HypergradientError, RecipeError, RipienoWarning, StudyError
from ripieno.hypergradient import TUNABLES, Tuned, Tuning, tune_online
from ripieno.population import deciding_names
from ripieno.recipes import WEIGHED_TASKS, bilevel_names, decouples, read_knobs
from ripieno.records import Change, Trial, ranked, tuned_of
from ripieno.space import Config, Float, Space
from ripieno.study.jobs import Job, TuneJob
from ripieno.study.settings import Settings

__all__ = ["Refinement", "origin_of", "settled"]


@dataclass(frozen=True, slots=True)
class Refinement:
    """How the best configs of a study are tuned by gradient.

    Args:
        job: What the study trains.
        settings: The study's.
        space: What it searches.
        tuning: What is tuned, and how; None for what :meth:`names` finds.
    """

    job: Job | None
    settings: Settings
    space: Space
    tuning: Tuning | None = None

    def of(self, trials: Sequence[Trial], best: int) -> Change:
        """Return the change that tries what the best trials become, each beside its origin.

        Raises:
            StudyError: There is no training, or no trial that can be tuned.
        """
        job = self._training()
        by_number = {trial.id: trial for trial in trials}
        chosen = [by_number[n] for n in ranked(self.settings.goal.merits(trials))[:best]]
        found: dict[Config, int] = {}
        reasons: list[str] = []
        for group in self._groups(chosen):
            try:
                for trial, config in self._run(job, group):
                    found.setdefault(config, trial.id)
            except (RecipeError, HypergradientError, StudyError) as error:
                reasons.append(f"trials {', '.join(str(t.id) for t in group)}: {error.problem}")
        if not found:
            raise StudyError(
                "no trial can be tuned by gradient.",
                where="; ".join(reasons) or f"{len(trials)} trials, none of them with a value",
                fix=f"search {', '.join(_searchable())} as rp.Float, on arrays without folds.",
            )
        if reasons:
            warnings.warn(f"not refined: {'; '.join(reasons)}", RipienoWarning, stacklevel=3)
        return Change(enqueued=tuple(found), origins=tuple(found.values()))

    def names(self, configs: Iterable[Config]) -> tuple[str, ...]:
        """Return the knobs that are searched, that all configs have and that can be tuned."""
        configs = list(configs)
        able = [name for name in _searchable() if isinstance(self.space.get(name), Float)]
        if any(decouples(read_knobs(config)) for config in configs):
            able = [name for name in able if name != "weight_decay"]
        return tuple(name for name in able if all(name in config for config in configs))

    def _training(self) -> TuneJob:
        if not isinstance(self.job, TuneJob):
            raise StudyError(
                "there is no training to tune by gradient: the study has no model and data.",
                where="Study.refine",
                fix="pass what it trains: rp.open(path, model=…, data=…).",
            )
        return self.job

    def _groups(self, trials: Sequence[Trial]) -> list[list[Trial]]:
        """Divide trials into those that can be rows of one stack."""
        deciding = sorted(deciding_names(self.space))
        groups: dict[tuple[object, ...], list[Trial]] = {}
        for trial in trials:
            # What mixes examples cannot be tuned, and must not keep others from it.
            mixes = bool(trial.config.get("mixup") or trial.config.get("cutmix"))
            key = (mixes, *(trial.config.get(name) for name in deciding))
            groups.setdefault(key, []).append(trial)
        return list(groups.values())

    def _run(self, job: TuneJob, group: Sequence[Trial]) -> list[tuple[Trial, Config]]:
        """Tune some trials' configs in one run; those that diverge are left out."""
        configs = [settled(trial) for trial in group]
        tuning = self.tuning or Tuning(self.names(configs))
        tuned = tune_online(
            job.recipe,
            job.data,
            configs,
            tuning=tuning,
            epochs=self.settings.epochs,
            seed=self.settings.seed,
            trials=[trial.id for trial in group],
        )
        whole = [row for row, own in enumerate(tuned.metrics) if len(own) == self.settings.epochs]
        return [(group[row], self._config(tuned, row, group[row].config)) for row in whole]

    def _config(self, tuned: Tuned, row: int, begun: Config) -> Config:
        """Return a config of the space with what a row has become."""
        values = dict(begun)
        for name in tuned.values[-1]:
            domain = self.space.get(name)
            if not isinstance(domain, Float):
                continue
            by_epoch = [float(epoch[name][row]) for epoch in tuned.values]
            # A rate falls as the model settles: what it ends with is none to begin with.
            value = median(by_epoch) if name == "lr" else by_epoch[-1]
            values[name] = _within(domain, value)
        return self.space.config(values)


def _searchable() -> list[str]:
    """Return the knobs that a gradient tunes and that a space can hold as a number."""
    return ["lr", *(name for name in TUNABLES if name not in WEIGHED_TASKS)]


def _within(domain: Float, value: float) -> float:
    """Return the value of a domain that is next to a number."""
    value = min(max(value, domain.low), domain.high)
    if domain.step is not None:
        count = int((domain.high - domain.low) / domain.step + 1e-9)
        value = domain.low + min(round((value - domain.low) / domain.step), count) * domain.step
    return domain.canonical(value)


def origin_of(trial: Trial, changes: Iterable[Change]) -> int | None:
    """Return the number of the trial that a trial's config was refined from, if it was."""
    for change in changes:
        for config, origin in zip(change.enqueued, change.origins, strict=False):
            if config == trial.config and origin < trial.id:
                return origin
    return None


def settled(trial: Trial) -> Config:
    """Return a trial's config with the knobs that its training tuned on the validation part.

    They no longer tune themselves in it, so that the one-model trainer trains it; a learning
    rate does as before.
    """
    chosen = str(trial.config.get("hypergradient", "off"))
    names = bilevel_names(chosen)
    if not names:
        return trial.config
    became = {n: value for n, value in tuned_of(trial.metrics).items() if n in names}
    others = "+".join(name for name in chosen.split("+") if name not in names)
    values: Mapping[str, object] = {**trial.config, **became, "hypergradient": others or "off"}
    return Config(values)  # type: ignore[arg-type]
