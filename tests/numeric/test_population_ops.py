"""Proof 1: every leaf equals the unstacked models, forward, backward and in its buffers."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from ripieno.population.leaves import Kernels, UnknownFunctionError
from ripieno.population.signature import row_numbers
from ripieno.population.template import Template
from ripieno.recipes import draws
from ripieno.recipes.dropout import DropoutMode

MEMBERS, BATCH = 3, 5
RTOL, ATOL = 1e-10, 1e-12


class Call(nn.Module):
    """A model that calls a function on its input, and on weights of its own."""

    def __init__(self, function, **shapes):
        super().__init__()
        self.function = function
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape)))

    def forward(self, x):
        return self.function(x, **dict(self.named_parameters()))


def conv2d(x, weight, bias=None, **options):
    return F.conv2d(x, weight, bias, **options)


def images(*shape):
    return lambda: torch.randn(BATCH, *shape, dtype=torch.float64)


def norm(make, momentum=None, **options):
    """Batch norms with a momentum of their own in each row, and statistics in mid-training."""

    def build(row):
        module = make(**options)
        if momentum is not None:
            module.momentum = momentum[row]
        for buffer in module.buffers():
            buffer.copy_(torch.rand(buffer.shape) + 0.5 if buffer.is_floating_point() else row)
        for parameter in module.parameters():
            nn.init.uniform_(parameter, 0.5, 1.5)
        return module

    return build


def rates(make, *values):
    return lambda row: make(values[row])


def always(make):
    return lambda row: make()


def one(*shape):
    return lambda: torch.randn(*shape, dtype=torch.float64)


def in_place(p):
    return nn.Sequential(nn.Linear(4, 4), nn.Dropout(p, inplace=True))


class Attention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.inner = nn.MultiheadAttention(4, 2, batch_first=True, **options)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0] + self.inner(x, x, x)[0]


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        padding = x[..., 0] > 0.9
        padding = padding & (torch.arange(x.shape[1]) > 0)
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return self.inner(x, x, x, key_padding_mask=padding, attn_mask=causal)[0]


class ScaledDotProduct(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.inner, self.options = nn.Linear(4, 4), options

    def forward(self, x):
        heads = self.inner(x).unflatten(-1, (2, 2)).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads, heads, **self.options)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 4, 3, padding="same", groups=2), nn.Linear(16, 3)
        self.scale = nn.Parameter(torch.rand(4, 1, 1))

    def forward(self, x):
        x = F.relu(self.norm(self.first(x)), inplace=True)
        x = x + self.scale * self.second(x)
        x = F.max_pool2d(torch.cat([x, -x], 1), 3)
        return self.head(x.flatten(1)[:, :16])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Linear(4, 4), nn.Linear(4, 4)
        self.decode.weight = self.encode.weight

    def forward(self, x):
        return self.decode(self.encode(x).tanh())


ROW = images(4)
MAP = images(4, 6, 6)
SEQUENCE = images(4, 6)
CASES = {
    "linear": (always(lambda: nn.Linear(4, 3)), ROW),
    "linear without bias": (always(lambda: nn.Linear(4, 3, bias=False)), ROW),
    "linear over several axes": (always(lambda: nn.Linear(6, 3)), MAP),
    "linear of a vector": (always(lambda: nn.Linear(4, 3)), one(4)),
    "linear called": (always(lambda: Call(F.linear, weight=(3, 4), bias=(3,))), ROW),
    "matrix product": (always(lambda: Call(lambda x, weight: x @ weight, weight=(4, 3))), ROW),
    "linear with fixed weights": (
        always(
            lambda: Call(
                lambda x, shift: F.linear(x, torch.ones(2, 4).double()) + shift, shift=(2,)
            )
        ),
        ROW,
    ),
    "conv1d": (always(lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2)), SEQUENCE),
    "conv1d same": (always(lambda: nn.Conv1d(4, 6, 4, padding="same", dilation=2)), SEQUENCE),
    "conv2d": (always(lambda: nn.Conv2d(4, 6, 3)), MAP),
    "conv2d without bias": (always(lambda: nn.Conv2d(4, 6, 3, bias=False)), MAP),
    "conv2d options": (
        always(lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))),
        MAP,
    ),
    "conv2d same": (always(lambda: nn.Conv2d(4, 6, 4, padding="same")), MAP),
    "conv2d valid": (always(lambda: nn.Conv2d(4, 6, 3, padding="valid")), MAP),
    "conv2d depthwise": (always(lambda: nn.Conv2d(4, 8, 3, groups=4)), MAP),
    "conv2d called": (
        always(lambda: Call(lambda x, weight: F.conv2d(x, weight, stride=2), weight=(2, 4, 3, 3))),
        MAP,
    ),
    "conv2d of an image": (always(lambda: nn.Conv2d(4, 2, 3)), one(4, 5, 5)),
    "conv3d": (always(lambda: nn.Conv3d(2, 3, 2, padding=1)), images(2, 3, 3, 3)),
    "conv_transpose2d": (always(lambda: nn.ConvTranspose2d(4, 3, 3, stride=2)), MAP),
    **{
        f"conv2d {mode} padding": (
            always(lambda mode=mode: nn.Conv2d(4, 3, 3, padding=2, padding_mode=mode)),
            MAP,
        )
        for mode in ("reflect", "replicate", "circular")
    },
    "batch norm of rows": (norm(nn.BatchNorm1d, (0.1, 0.5, 1.0), num_features=4), ROW),
    "batch norm of sequences": (norm(nn.BatchNorm1d, (0.1, 0.0, 0.9), num_features=4), SEQUENCE),
    "batch norm of maps": (norm(nn.BatchNorm2d, (0.1, 0.2, 0.3), num_features=4, eps=0.1), MAP),
    "batch norm, cumulative": (norm(lambda: nn.BatchNorm2d(4, momentum=None)), MAP),
    "batch norm without statistics": (
        norm(nn.BatchNorm2d, num_features=4, track_running_stats=False),
        MAP,
    ),
    "batch norm without weights": (norm(nn.BatchNorm1d, num_features=4, affine=False), ROW),
    "instance norm": (norm(nn.InstanceNorm2d, num_features=4, affine=True), MAP),
    "layer norm": (norm(nn.LayerNorm, normalized_shape=4, eps=0.3), ROW),
    "layer norm over two axes": (norm(nn.LayerNorm, normalized_shape=(6, 6)), MAP),
    "layer norm without bias": (norm(nn.LayerNorm, normalized_shape=6, bias=False), SEQUENCE),
    "layer norm without weights": (
        norm(nn.LayerNorm, normalized_shape=6, elementwise_affine=False),
        SEQUENCE,
    ),
    "group norm": (norm(nn.GroupNorm, num_groups=2, num_channels=4), MAP),
    "group norm of rows": (norm(nn.GroupNorm, num_groups=2, num_channels=4), ROW),
    "group norm without weights": (
        norm(nn.GroupNorm, num_groups=2, num_channels=4, affine=False),
        MAP,
    ),
    "rms norm": (norm(nn.RMSNorm, normalized_shape=6), SEQUENCE),
    "dropout": (rates(nn.Dropout, 0.0, 0.5, 1.0), MAP),
    "dropout in place": (rates(in_place, 0.1, 0.2, 0.3), ROW),
    "dropout1d": (rates(nn.Dropout1d, 0.2, 0.5, 0.8), SEQUENCE),
    "dropout2d": (rates(nn.Dropout2d, 0.2, 0.5, 0.8), MAP),
    "dropout3d": (rates(nn.Dropout3d, 0.2, 0.5, 0.8), images(4, 2, 3, 2)),
    "dropout called": (
        always(lambda: Call(lambda x: F.dropout(x, 0.3) + F.dropout2d(x, 0.0) + F.dropout(x))),
        MAP,
    ),
    # Row 0 does not count its first dropout: its second one draws what the others' first does.
    "two dropouts": (
        lambda row: nn.Sequential(nn.Dropout([0.0, 0.3, 0.6][row]), nn.Dropout(0.5)),
        ROW,
    ),
    "dropout behind a convolution": (
        rates(
            lambda p: nn.Sequential(nn.Conv2d(4, 3, 2), nn.Dropout(p), nn.Dropout2d(p)),
            0.1,
            0.5,
            0.0,
        ),
        MAP,
    ),
    "leaky relu": (rates(nn.LeakyReLU, 0.0, 0.01, 1.5), MAP),
    "leaky relu of a row of features": (rates(nn.LeakyReLU, 0.2, 0.2, 0.0), images(7)),
    "leaky relu in place behind a convolution": (
        lambda row: nn.Sequential(nn.Conv2d(4, 3, 2), nn.LeakyReLU(0.1 * row, inplace=True)),
        MAP,
    ),
    "prelu": (always(nn.PReLU), MAP),
    "prelu a channel": (always(lambda: nn.PReLU(4)), MAP),
    "prelu behind a convolution": (
        always(lambda: nn.Sequential(nn.Conv2d(4, 3, 2), nn.PReLU(3), nn.PReLU())),
        MAP,
    ),
    "max_pool1d": (always(lambda: nn.MaxPool1d(3, 2, padding=1)), SEQUENCE),
    "max_pool2d": (always(lambda: nn.MaxPool2d(2)), MAP),
    "max_pool2d of equal numbers": (
        always(lambda: nn.MaxPool2d((2, 3))),
        lambda: torch.randint(2, (BATCH, 4, 6, 6)).double(),
    ),
    "max_pool2d with indices": (
        always(lambda: Call(lambda x: torch.mul(*F.max_pool2d(x, 2, return_indices=True)))),
        MAP,
    ),
    "avg_pool1d": (always(lambda: nn.AvgPool1d(3, padding=1)), SEQUENCE),
    "avg_pool2d": (always(lambda: nn.AvgPool2d(2, count_include_pad=False, padding=1)), MAP),
    "adaptive_avg_pool1d": (always(lambda: nn.AdaptiveAvgPool1d(2)), SEQUENCE),
    "adaptive_avg_pool2d": (always(lambda: nn.AdaptiveAvgPool2d((1, None))), MAP),
    "adaptive_max_pool2d": (always(lambda: nn.AdaptiveMaxPool2d(4)), MAP),
    "pools behind convolutions": (
        always(
            lambda: nn.Sequential(
                nn.Conv2d(4, 3, 1),
                nn.MaxPool2d(2),
                nn.Conv2d(3, 2, 2),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(2, 2),
            )
        ),
        MAP,
    ),
    "interpolate": (always(lambda: nn.Upsample(scale_factor=2, mode="bilinear")), MAP),
    "pixel_shuffle": (always(lambda: nn.PixelShuffle(2)), MAP),
    "attention": (always(Attention), images(3, 4)),
    "attention with bias": (
        always(lambda: Attention(add_bias_kv=True, add_zero_attn=True)),
        images(3, 4),
    ),
    "attention, masked": (always(Masked), images(3, 4)),
    "causal attention": (always(lambda: ScaledDotProduct(is_causal=True)), images(3, 4)),
    "attention with a mask": (
        always(lambda: ScaledDotProduct(attn_mask=torch.eye(3).double(), scale=0.3)),
        images(3, 4),
    ),
    "transformer layer": (
        always(lambda: nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)),
        images(3, 4),
    ),
    "residual network": (always(Residual), images(2, 8, 8)),
    "tied weights": (always(Tied), ROW),
    "activations": (
        always(
            lambda: nn.Sequential(
                nn.Linear(4, 4),
                nn.GELU(),
                nn.SiLU(),
                nn.ELU(),
                nn.LeakyReLU(),
                nn.Softplus(),
                nn.Softmax(-1),
            )
        ),
        ROW,
    ),
}


def build(make):
    torch.manual_seed(0)
    models = [make(row).double() for row in range(MEMBERS)]
    for model in models:
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return models


def stacked_tensors(models):
    names = [*dict(models[0].named_parameters()), *dict(models[0].named_buffers())]
    own = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in models]
    tensors = {name: torch.stack([o[name].detach().clone() for o in own]) for name in names}
    for name, _ in models[0].named_parameters():
        tensors[name].requires_grad_()
    return tensors


def stacked_numbers(models):
    rows = [row_numbers(model) for model in models]
    return {n: torch.tensor([row[n] for row in rows], dtype=torch.float64) for n in rows[0]}


KEYS = draws.key_tensor(*(draws.fold(row, 7) for row in range(MEMBERS)))


def close(left, right):
    torch.testing.assert_close(left, right, rtol=RTOL, atol=ATOL)


def compare(models, x, *, training, shared, kernels=None, leaves="all", direct=False):
    """Compare outputs, all gradients and all buffers of a stack with those of its models."""
    tensors = stacked_tensors(models)
    template = Template(models[0], kernels or Kernels(), direct=direct)
    inputs = x.detach().clone().requires_grad_(x.is_floating_point())
    out = template.forward(
        tensors,
        inputs,
        members=MEMBERS,
        numbers=stacked_numbers(models),
        keys=KEYS,
        training=training,
        shared=shared,
        leaves=leaves,
    )
    # Uneven weights, so that no gradient vanishes by symmetry.
    weights = torch.linspace(0.5, 1.5, out.numel(), dtype=out.dtype).view_as(out)
    if out.requires_grad:
        (out * weights).sum().backward()
    shared_grad = torch.zeros_like(x)
    for row, model in enumerate(copy.deepcopy(models)):
        own = (x if shared else x[row]).detach().clone().requires_grad_(x.is_floating_point())
        model.train(training)
        with DropoutMode(KEYS[row]):
            alone = model(own)
        close(out[row], alone)
        if alone.requires_grad:
            (alone * weights[row]).sum().backward()
        for name, parameter in model.named_parameters():
            close(tensors[name].grad[row], parameter.grad)
        for name, buffer in model.named_buffers():
            close(tensors[name][row], buffer)
        if x.is_floating_point() and not shared:
            close(inputs.grad[row], own.grad)
        elif x.is_floating_point():
            shared_grad += own.grad
    if x.is_floating_point() and shared:
        close(inputs.grad, shared_grad)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES)
def test_a_stacked_function_equals_that_of_each_model(case, training, shared):
    make, example = CASES[case]
    models = build(make)
    x = example() if shared else torch.stack([example() for _ in models])
    compare(models, x, training=training, shared=shared)


@pytest.mark.parametrize("case", ["linear", "conv2d", "two dropouts", "batch norm of maps"])
def test_the_needed_leaves_alone_give_the_same_numbers(case):
    make, example = CASES[case]
    models = build(make)
    x = torch.stack([example() for _ in models])
    compare(models, x, training=True, shared=False, leaves="needed")


@pytest.mark.parametrize(
    "case", ["max_pool2d", "max_pool2d of equal numbers", "pools behind convolutions"]
)
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_what_a_compiler_is_given_computes_the_same(case, shared):
    make, example = CASES[case]
    models = build(make)
    x = example() if shared else torch.stack([example() for _ in models])
    compare(models, x, training=True, shared=shared, kernels=Kernels(compiled=True))


@pytest.mark.parametrize("leaf", ["linear", "convolution"])
@pytest.mark.parametrize("kernel", ["features", "batched", "grouped", "contiguous", "loop"])
def test_every_kernel_gives_the_same_numbers(leaf, kernel):
    models = build(always(Residual))
    x = torch.randn(MEMBERS, BATCH, 2, 8, 8, dtype=torch.float64)
    compare(models, x, training=True, shared=False, kernels=Kernels(forced={leaf: kernel}))


NEEDS_VMAP = {
    "matrix product", "conv_transpose2d", "conv2d circular padding", "conv2d reflect padding",
    "pixel_shuffle", "attention", "attention with bias", "attention, masked",
    "causal attention", "attention with a mask", "transformer layer", "rms norm",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES)
def test_a_function_without_vmap_equals_that_of_each_model(case, training, shared):
    make, example = CASES[case]
    models = build(make)
    x = example() if shared else torch.stack([example() for _ in models])
    try:
        compare(models, x, training=training, shared=shared, direct=True)
    except UnknownFunctionError:
        assert case in NEEDS_VMAP


ACTIVATIONS = (nn.ReLU, nn.GELU, nn.Tanh, nn.PReLU, lambda: nn.ReLU(inplace=True), nn.Identity)


@st.composite
def architectures(draw):
    """Draw what builds a row's network of images: blocks of convolutions, and dense layers."""
    blocks = draw(
        st.lists(
            st.tuples(
                st.integers(1, 5),
                st.sampled_from([1, 2, 3]),
                st.sampled_from(["batch", "group", "instance", "none"]),
                st.sampled_from(ACTIVATIONS),
                st.sampled_from(["max", "average", "dropout", "none"]),
            ),
            max_size=3,
        )
    )
    dense = draw(
        st.lists(
            st.tuples(
                st.integers(1, 6), st.sampled_from(["batch", "layer", "none"]), st.booleans()
            ),
            max_size=2,
        )
    )
    return blocks, dense, draw(st.booleans())


def network(blocks, dense, *, bias, row):
    norms = {
        "batch": lambda n: nn.BatchNorm2d(n, momentum=0.1 + 0.2 * row),
        "group": lambda n: nn.GroupNorm(1, n),
        "instance": lambda n: nn.InstanceNorm2d(n, affine=True),
        "none": lambda n: nn.Identity(),
    }
    ends = {
        "max": lambda: nn.MaxPool2d(2, ceil_mode=True),
        "average": lambda: nn.AvgPool2d(2, ceil_mode=True),
        "dropout": lambda: nn.Dropout2d(0.2 * row),
        "none": nn.Identity,
    }
    layers, channels = [], 2
    for filters, kernel, norm, activation, end in blocks:
        layers += [
            nn.Conv2d(channels, filters, kernel, padding="same", bias=bias),
            norms[norm](filters),
            activation(),
            ends[end](),
        ]
        channels = filters
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    features = 4 * channels
    for width, norm, drops in dense:
        kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": lambda _: nn.Identity()}
        layers += [nn.Linear(features, width, bias=bias), kinds[norm](width), nn.SiLU()]
        layers += [nn.Dropout(0.3 * row)] if drops else []
        features = width
    return nn.Sequential(*layers, nn.Linear(features, 3))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@settings(max_examples=25, deadline=None, derandomize=True)
@given(architectures(), st.booleans(), st.booleans(), st.sampled_from([(0, 0), (0, 1), (1, 0)]))
def test_any_network_of_layers_equals_its_rows(architecture, training, shared, how):
    blocks, dense, bias = architecture
    # One value a channel and sample has no variance: its norm is all rounding.
    assume(not any(norm == "instance" for *_, norm, _, _ in blocks[2:]))
    models = build(lambda row: network(blocks, dense, bias=bias, row=row))
    torch.manual_seed(1)
    x = torch.randn(*([] if shared else [MEMBERS]), BATCH, 2, 7, 6, dtype=torch.float64)
    compiled, direct = map(bool, how)
    kernels = Kernels(measure=False, compiled=compiled)
    compare(models, x, training=training, shared=shared, kernels=kernels, direct=direct)
