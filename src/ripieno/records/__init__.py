"""The words every room shares: config, trial, order, outcome, objective."""

from ripieno.records.ancestry import ancestry, config_by_epoch, history_by_epoch
from ripieno.records.change import Change
from ripieno.records.fields import check_fields
from ripieno.records.goal import Goal, Limit, Merit
from ripieno.records.headway import Hearer, hearing, say_epochs
from ripieno.records.objective import Direction, Objective, Target
from ripieno.records.order import Order
from ripieno.records.outcome import Metrics, Outcome, OutcomeStatus
from ripieno.records.protocols import Arrays, ArtifactStore, Runner
from ripieno.records.ranking import crowding, front, fronts, hypervolume, ranked
from ripieno.records.refined import Refined, refined_trials
from ripieno.records.spread import spread_name, spread_of
from ripieno.records.trial import Trial, TrialStatus
from ripieno.records.tuned import is_tuned, tuned_metrics, tuned_name, tuned_of, tuned_spans
from ripieno.space import Config

__all__ = [
    "Arrays",
    "ArtifactStore",
    "Change",
    "Config",
    "Direction",
    "Goal",
    "Hearer",
    "Limit",
    "Merit",
    "Metrics",
    "Objective",
    "Order",
    "Outcome",
    "OutcomeStatus",
    "Refined",
    "Runner",
    "Target",
    "Trial",
    "TrialStatus",
    "ancestry",
    "check_fields",
    "config_by_epoch",
    "crowding",
    "front",
    "fronts",
    "hearing",
    "history_by_epoch",
    "hypervolume",
    "is_tuned",
    "ranked",
    "refined_trials",
    "say_epochs",
    "spread_name",
    "spread_of",
    "tuned_metrics",
    "tuned_name",
    "tuned_of",
    "tuned_spans",
]
