"""What was changed in a study that had begun: by a user, or to make room."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import Any

from ripieno.records.trial import Trial, TrialStatus
from ripieno.space import Config

__all__ = ["Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed in the middle of a study, as it stands in the record.

    It holds all that a replay needs: neither the study that trials were taken from nor the
    file that a space was read from has to be there again.

    Args:
        observed: Trials of elsewhere that the searcher is to learn from. Their numbers are
            negative, so that no trial of this study has them.
        enqueued: Configs that are tried next.
        origins: For each of these the number of the trial that it was refined from; empty
            where they come from elsewhere.
        space: The space from now on, as JSON; None where it stays.
        trials: Trials at most from now on; None where that stays.
        freed: Numbers of trials whose states were given up to make room. It changes nothing
            in what is searched.
    """

    observed: tuple[Trial, ...] = ()
    enqueued: tuple[Config, ...] = ()
    origins: tuple[int, ...] = ()
    space: str | None = None
    trials: int | None = None
    freed: tuple[int, ...] = ()

    def to_json(self) -> str:
        """Return the change as JSON."""
        content: dict[str, Any] = {
            "observed": [_trial_to_json(trial) for trial in self.observed],
            "enqueued": [dict(config) for config in self.enqueued],
            "origins": list(self.origins),
            "space": None if self.space is None else json.loads(self.space),
            "trials": self.trials,
            "freed": list(self.freed),
        }
        return json.dumps({name: value for name, value in content.items() if value})

    @classmethod
    def from_json(cls, text: str) -> "Change":
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: The text holds no change.
        """
        try:
            content = json.loads(text)
            space, trials = content.get("space"), content.get("trials")
            change = cls(
                observed=tuple(map(_trial_from_json, content.get("observed", ()))),
                enqueued=tuple(map(Config, content.get("enqueued", ()))),
                origins=tuple(map(index, content.get("origins", ()))),
                space=None if space is None else json.dumps(space),
                trials=None if trials is None else index(trials),
                freed=tuple(map(index, content.get("freed", ()))),
            )
        except (AttributeError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise ValueError(f"{text[:80]!r} is no change of a study ({error})") from error
        return change


def _trial_to_json(trial: Trial) -> dict[str, Any]:
    """Keep what a searcher learns from: where the trial ended, and with which numbers."""
    return {
        "id": trial.id,
        "config": dict(trial.config),
        "status": trial.status.value,
        "epochs": trial.epochs,
        "metrics": dict(trial.metrics),
    }


def _trial_from_json(values: Mapping[str, Any]) -> Trial:
    metrics = {name: float(value) for name, value in values["metrics"].items()}
    epochs = index(values["epochs"])
    return Trial(
        index(values["id"]),
        Config(values["config"]),
        TrialStatus(values["status"]),
        history=(metrics,) if metrics else (),
        first_epoch=epochs - bool(metrics),
    )
