"""How one model is trained: data, recipes, and the plain trainer that is the reference."""

from ripieno.recipes import draws
from ripieno.recipes.building import build_model
from ripieno.recipes.cnn import CnnFactory, cnn
from ripieno.recipes.completing import complete
from ripieno.recipes.data import Data, Split
from ripieno.recipes.dropout import DropoutMode
from ripieno.recipes.folds import Folds
from ripieno.recipes.keeping import Finished, alone, explain, keep, take_up
from ripieno.recipes.knobs import KNOBS, Knob, Knobs, read_knobs
from ripieno.recipes.loaders import load
from ripieno.recipes.loss_options import balanced_pos_weight, chosen_loss, loss_options
from ripieno.recipes.losses import (
    LOSS_OPTIONS,
    LOSSES,
    Loss,
    LossFunction,
    balanced_weights,
    cross_entropy,
    find_loss,
    loss_name,
)
from ripieno.recipes.metrics import METRICS, Metric, find_metric, measure, measure_scores
from ripieno.recipes.mlp import MlpFactory, mlp
from ripieno.recipes.optimizers import OPTIMIZERS, build_optimizer, state_slots
from ripieno.recipes.prediction import (
    as_tensor,
    check_logits,
    predict,
    predict_probabilities,
    predict_scores,
)
from ripieno.recipes.preprocess import Preprocess
from ripieno.recipes.recipe import ModelFactory, Recipe
from ripieno.recipes.replicas import (
    Replica,
    check_seeds,
    in_equal_epochs,
    join,
    mean_metrics,
    mean_predictions,
    replicas_of,
    split_state,
)
from ripieno.recipes.schedules import SCHEDULES, learning_rate_factor
from ripieno.recipes.state import State
from ripieno.recipes.targets import Coding
from ripieno.recipes.tasks import TASKS, TaskName, check_task
from ripieno.recipes.trainer import TrainerRunner, batches

__all__ = [
    "KNOBS",
    "LOSSES",
    "LOSS_OPTIONS",
    "METRICS",
    "OPTIMIZERS",
    "SCHEDULES",
    "TASKS",
    "CnnFactory",
    "Coding",
    "Data",
    "DropoutMode",
    "Finished",
    "Folds",
    "Knob",
    "Knobs",
    "Loss",
    "LossFunction",
    "Metric",
    "MlpFactory",
    "ModelFactory",
    "Preprocess",
    "Recipe",
    "Replica",
    "Split",
    "State",
    "TaskName",
    "TrainerRunner",
    "alone",
    "as_tensor",
    "balanced_pos_weight",
    "balanced_weights",
    "batches",
    "build_model",
    "build_optimizer",
    "check_logits",
    "check_seeds",
    "check_task",
    "chosen_loss",
    "cnn",
    "complete",
    "cross_entropy",
    "draws",
    "explain",
    "find_loss",
    "find_metric",
    "in_equal_epochs",
    "join",
    "keep",
    "learning_rate_factor",
    "load",
    "loss_name",
    "loss_options",
    "mean_metrics",
    "mean_predictions",
    "measure",
    "measure_scores",
    "mlp",
    "predict",
    "predict_probabilities",
    "predict_scores",
    "read_knobs",
    "replicas_of",
    "split_state",
    "state_slots",
    "take_up",
]
