"""How one model is trained: data, recipes, and the plain trainer that is the reference."""

from ripieno.recipes import draws
from ripieno.recipes.building import build_model
from ripieno.recipes.cnn import CnnFactory, cnn
from ripieno.recipes.data import Data, Split
from ripieno.recipes.dropout import DropoutMode
from ripieno.recipes.duplicates import Duplicates, find_duplicates
from ripieno.recipes.feeding import as_features, as_tensor, feed, first_rows, pieces
from ripieno.recipes.folds import Folds
from ripieno.recipes.images import image_size
from ripieno.recipes.keeping import Finished, alone, explain, keep, take_up
from ripieno.recipes.knobs import KNOBS, Knob, Knobs, read_knobs
from ripieno.recipes.loaders import from_frame, load, read
from ripieno.recipes.losses import LOSSES, balanced_weights, cross_entropy
from ripieno.recipes.metrics import METRICS, accuracy, log_loss, measure
from ripieno.recipes.mlp import MlpFactory, mlp
from ripieno.recipes.optimizers import OPTIMIZERS, build_optimizer, state_slots
from ripieno.recipes.prediction import check_logits, predict_probabilities
from ripieno.recipes.preprocess import Preprocess
from ripieno.recipes.reading import Reading
from ripieno.recipes.recipe import ModelFactory, Recipe
from ripieno.recipes.replicas import (
    Replica,
    check_seeds,
    in_equal_epochs,
    join,
    mean_metrics,
    replicas_of,
    split_state,
)
from ripieno.recipes.schedules import SCHEDULES, learning_rate_factor
from ripieno.recipes.state import State
from ripieno.recipes.streams import Stream
from ripieno.recipes.tables import NumericTransform, Table
from ripieno.recipes.trainer import TrainerRunner, batches

__all__ = [
    "KNOBS",
    "LOSSES",
    "METRICS",
    "OPTIMIZERS",
    "SCHEDULES",
    "CnnFactory",
    "Data",
    "DropoutMode",
    "Duplicates",
    "Finished",
    "Folds",
    "Knob",
    "Knobs",
    "MlpFactory",
    "ModelFactory",
    "NumericTransform",
    "Preprocess",
    "Reading",
    "Recipe",
    "Replica",
    "Split",
    "State",
    "Stream",
    "Table",
    "TrainerRunner",
    "accuracy",
    "alone",
    "as_features",
    "as_tensor",
    "balanced_weights",
    "batches",
    "build_model",
    "build_optimizer",
    "check_logits",
    "check_seeds",
    "cnn",
    "cross_entropy",
    "draws",
    "explain",
    "feed",
    "find_duplicates",
    "first_rows",
    "from_frame",
    "image_size",
    "in_equal_epochs",
    "join",
    "keep",
    "learning_rate_factor",
    "load",
    "log_loss",
    "mean_metrics",
    "measure",
    "mlp",
    "pieces",
    "predict_probabilities",
    "read",
    "read_knobs",
    "replicas_of",
    "split_state",
    "state_slots",
    "take_up",
]
