import itertools

import numpy as np
import pytest
import torch

from ripieno.errors import SpaceError
from ripieno.nas import cell_space, darts_space
from ripieno.nas.controller import Controller
from ripieno.space import Categorical, Float, Space

SMALL = Space(first=Categorical("a", "b"), second=Categorical(1, 2, 3), third=Categorical("a", "b"))


@pytest.fixture
def controller():
    torch.manual_seed(0)
    made = Controller(SMALL, hidden=4, temperature=0.5, tanh=1.5).double()
    made.requires_grad_(requires_grad=False)
    for parameter in made.parameters():
        parameter.mul_(8.0)
    return made


def all_choices():
    return torch.tensor(list(itertools.product(range(2), range(3), range(2))))


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum())


def by_hand(controller, choices):
    """Return log-probability and entropy of one architecture, in NumPy."""
    value = {name: p.detach().numpy() for name, p in controller.named_parameters()}
    fed, hidden, memory = value["start"], np.zeros(4), np.zeros(4)
    log_probability, entropy = 0.0, 0.0
    for kind, choice in zip((0, 1, 0), choices, strict=True):
        four = value["lstm.weight_ih"] @ fed + value["lstm.bias_ih"]
        four += value["lstm.weight_hh"] @ hidden + value["lstm.bias_hh"]
        enter, forget, new, leave = four.reshape(4, 4)
        enter, forget, leave = (1.0 / (1.0 + np.exp(-each)) for each in (enter, forget, leave))
        memory = forget * memory + enter * np.tanh(new)
        hidden = leave * np.tanh(memory)
        z = value[f"heads.{kind}.weight"] @ hidden + value[f"heads.{kind}.bias"]
        logs = log_softmax(1.5 * np.tanh(z / 0.5))
        log_probability += logs[choice]
        entropy -= np.exp(logs) @ logs
        fed = value[f"embeddings.{kind}.weight"][choice]
    return log_probability, entropy


def test_log_probabilities_and_entropies_are_those_of_an_lstm_by_hand(controller):
    found = controller(all_choices())
    for row, choices in enumerate(all_choices().tolist()):
        expected = by_hand(controller, choices)
        assert (float(found.log_probability[row]), float(found.entropy[row])) == pytest.approx(
            expected
        )


def test_all_architectures_together_have_the_probability_one(controller):
    chances = controller(all_choices()).log_probability.exp()
    assert float(chances.sum()) == pytest.approx(1.0)
    assert float(chances.max()) > 2.0 / 12  # it is no even distribution that is looked at


def test_architectures_are_drawn_as_often_as_they_are_probable(controller):
    torch.manual_seed(1)
    drawn = controller.draw(4_000)
    assert torch.equal(drawn.log_probability, controller(drawn.choices).log_probability)
    for choices in all_choices():
        share = float((drawn.choices == choices).all(1).double().mean())
        chance = float(controller(choices[None]).log_probability.exp())
        assert share == pytest.approx(chance, abs=4.0 * (0.25 / 4_000) ** 0.5)


def test_no_choice_is_likelier_than_tanh_allows(controller):
    controller.heads[0].bias[0] = 1e6
    first = controller.draw(1).choices[:, 0]
    chance = controller(torch.tensor([[0, 0, 0]])).log_probability.exp()
    assert int(first) in {0, 1}
    assert float(chance) < np.exp(3.0) / (1.0 + np.exp(3.0))


def test_choices_stand_for_configs():
    controller = Controller(SMALL)
    assert controller.config(torch.tensor([1, 2, 0])) == SMALL.config(
        first="b", second=3, third="a"
    )
    space = cell_space().fix(edge_0_3="none")
    drawn = Controller(space).draw(5)
    assert drawn.choices.shape == (5, 5)
    darts = Controller(darts_space())
    for fixed, each in ((space, Controller(space)), (darts_space(), darts)):
        config = each.config(each.draw(1).choices[0])
        assert fixed.config(config) == config


def test_hyperparameters_of_the_same_choices_share_what_is_learnt():
    assert Controller(SMALL).kinds == [0, 1, 0]
    assert len(Controller(cell_space()).heads) == 1


def test_a_space_without_a_choice_cannot_be_drawn_from():
    with pytest.raises(SpaceError, match="there is no choice to draw"):
        Controller(cell_space().fix(cell_space().default()))


def test_a_number_cannot_be_drawn():
    with pytest.raises(SpaceError, match="'lr' is no choice between operations"):
        Controller(Space(edge=Categorical("a", "b"), lr=Float(0.1, 1.0)))
