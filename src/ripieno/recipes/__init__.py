"""How one model is trained: data, recipes, and the plain trainer that is the reference."""

from ripieno.recipes import draws
from ripieno.recipes.architecture import ARCHITECTURE, Architecture, Setting
from ripieno.recipes.augmentation import (
    AUGMENTATIONS,
    SMOOTH,
    augment,
    augmentation_strengths,
    check_augmentation,
)
from ripieno.recipes.backbone import (
    FineTuned,
    depths,
    rate_scale,
    rate_scales,
    take_features,
    takes_features,
)
from ripieno.recipes.bilevel_knobs import BILEVEL, STARTS, bilevel_names
from ripieno.recipes.building import arrange, build_model
from ripieno.recipes.cnn import CnnFactory, cnn
from ripieno.recipes.completing import complete
from ripieno.recipes.convolutions import check_images
from ripieno.recipes.costs import COSTS, CostRunner, costs
from ripieno.recipes.data import Data, Split
from ripieno.recipes.decay_groups import DecayGroups, Per, tuned_groups
from ripieno.recipes.devices import (
    Device,
    check_device,
    free_bytes,
    gpus_for,
    seed_generators,
    synchronize,
)
from ripieno.recipes.dropout import DropoutMode
from ripieno.recipes.duplicates import Duplicates, find_duplicates
from ripieno.recipes.feasible import CheckedFactory, restricted
from ripieno.recipes.feeding import as_features, as_tensor, feed, first_rows, pieces
from ripieno.recipes.finetuning import FineTune, fine_tune
from ripieno.recipes.folds import Folds
from ripieno.recipes.given_splits import from_splits
from ripieno.recipes.hashing import witnessed
from ripieno.recipes.images import image_size
from ripieno.recipes.initialization import activation_gain, initialize
from ripieno.recipes.judging import Judging
from ripieno.recipes.keeping import Finished, alone, explain, keep, take_up
from ripieno.recipes.knobs import KNOBS, Knob, Knobs, read_knobs
from ripieno.recipes.layers import Residual, global_pooling, model_space
from ripieno.recipes.lion import Lion
from ripieno.recipes.loaders import from_frame, load, read
from ripieno.recipes.loss_functions import smooth_cross_entropy
from ripieno.recipes.loss_options import (
    WEIGHED_TASKS,
    balanced_pos_weight,
    chosen_loss,
    loss_options,
)
from ripieno.recipes.losses import (
    LOSS_OPTIONS,
    LOSSES,
    TRAINING_OPTIONS,
    Loss,
    LossFunction,
    balanced_weights,
    cross_entropy,
    find_loss,
    loss_name,
)
from ripieno.recipes.memory import is_out_of_memory, raise_out_of_memory
from ripieno.recipes.metrics import METRICS, Metric, find_metric, measure, measure_scores
from ripieno.recipes.mixing import (
    Mixing,
    add_noise,
    mix_inputs,
    mix_losses,
    mixes,
    partners,
    plan_mixing,
    share_growth,
    take,
)
from ripieno.recipes.mlp import MlpFactory, mlp
from ripieno.recipes.online_rate import ONLINE, PREVIOUS, along_steps, next_rates, rate_rule
from ripieno.recipes.optimizers import (
    OPTIMIZERS,
    build_optimizer,
    decouples,
    find_optimizer,
    state_slots,
)
from ripieno.recipes.parts import divide_rows
from ripieno.recipes.prediction import (
    check_logits,
    predict,
    predict_probabilities,
    predict_scores,
)
from ripieno.recipes.preprocess import Preprocess
from ripieno.recipes.rates import RateRule
from ripieno.recipes.reading import Reading
from ripieno.recipes.recipe import ModelFactory, Recipe
from ripieno.recipes.regularizers import unit_axes
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
from ripieno.recipes.resnet import ResnetFactory, resnet
from ripieno.recipes.schedules import SCHEDULES, learning_rate_factor
from ripieno.recipes.sizing import Sizing
from ripieno.recipes.slots import kept_slots
from ripieno.recipes.state import State
from ripieno.recipes.streams import Stream
from ripieno.recipes.tables import NumericTransform, Table
from ripieno.recipes.targets import Coding
from ripieno.recipes.tasks import TASKS, TaskName, check_task
from ripieno.recipes.together import hidden_matrices
from ripieno.recipes.trainer import TrainerRunner
from ripieno.recipes.training import batches
from ripieno.recipes.tunable import is_tunable
from ripieno.recipes.tuner import (
    TUNED_EVERY,
    TUNED_STEP,
    TUNED_WARMUP,
    Tuner,
    TunerLoss,
    in_memory,
    tuned_slots,
    tuning_rows,
)
from ripieno.recipes.watch import Watch

__all__ = [
    "ARCHITECTURE",
    "AUGMENTATIONS",
    "BILEVEL",
    "COSTS",
    "KNOBS",
    "LOSSES",
    "LOSS_OPTIONS",
    "METRICS",
    "ONLINE",
    "OPTIMIZERS",
    "PREVIOUS",
    "SCHEDULES",
    "SMOOTH",
    "STARTS",
    "TASKS",
    "TRAINING_OPTIONS",
    "TUNED_EVERY",
    "TUNED_STEP",
    "TUNED_WARMUP",
    "WEIGHED_TASKS",
    "Architecture",
    "CheckedFactory",
    "CnnFactory",
    "Coding",
    "CostRunner",
    "Data",
    "DecayGroups",
    "Device",
    "DropoutMode",
    "Duplicates",
    "FineTune",
    "FineTuned",
    "Finished",
    "Folds",
    "Judging",
    "Knob",
    "Knobs",
    "Lion",
    "Loss",
    "LossFunction",
    "Metric",
    "Mixing",
    "MlpFactory",
    "ModelFactory",
    "NumericTransform",
    "Per",
    "Preprocess",
    "RateRule",
    "Reading",
    "Recipe",
    "Replica",
    "Residual",
    "ResnetFactory",
    "Setting",
    "Sizing",
    "Split",
    "State",
    "Stream",
    "Table",
    "TaskName",
    "TrainerRunner",
    "Tuner",
    "TunerLoss",
    "Watch",
    "activation_gain",
    "add_noise",
    "alone",
    "along_steps",
    "arrange",
    "as_features",
    "as_tensor",
    "augment",
    "augmentation_strengths",
    "balanced_pos_weight",
    "balanced_weights",
    "batches",
    "bilevel_names",
    "build_model",
    "build_optimizer",
    "check_augmentation",
    "check_device",
    "check_images",
    "check_logits",
    "check_seeds",
    "check_task",
    "chosen_loss",
    "cnn",
    "complete",
    "costs",
    "cross_entropy",
    "decouples",
    "depths",
    "divide_rows",
    "draws",
    "explain",
    "feed",
    "find_duplicates",
    "find_loss",
    "find_metric",
    "find_optimizer",
    "fine_tune",
    "first_rows",
    "free_bytes",
    "from_frame",
    "from_splits",
    "global_pooling",
    "gpus_for",
    "hidden_matrices",
    "image_size",
    "in_equal_epochs",
    "in_memory",
    "initialize",
    "is_out_of_memory",
    "is_tunable",
    "join",
    "keep",
    "kept_slots",
    "learning_rate_factor",
    "load",
    "loss_name",
    "loss_options",
    "mean_metrics",
    "mean_predictions",
    "measure",
    "measure_scores",
    "mix_inputs",
    "mix_losses",
    "mixes",
    "mlp",
    "model_space",
    "next_rates",
    "partners",
    "pieces",
    "plan_mixing",
    "predict",
    "predict_probabilities",
    "predict_scores",
    "raise_out_of_memory",
    "rate_rule",
    "rate_scale",
    "rate_scales",
    "read",
    "read_knobs",
    "replicas_of",
    "resnet",
    "restricted",
    "seed_generators",
    "share_growth",
    "smooth_cross_entropy",
    "split_state",
    "state_slots",
    "synchronize",
    "take",
    "take_features",
    "take_up",
    "takes_features",
    "tuned_groups",
    "tuned_slots",
    "tuning_rows",
    "unit_axes",
    "witnessed",
]
