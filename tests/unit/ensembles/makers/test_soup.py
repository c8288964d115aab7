import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ensembles.makers import DeepEnsemble, Kitchen, Soup, average
from ripieno.ensembles.makers.assembling import Member, members_of
from ripieno.errors import EnsembleError
from ripieno.recipes import complete

CONFIGS = [rp.Config({"lr": lr}) for lr in (0.005, 0.01, 0.02, 0.03)]


def test_a_uniform_soup_is_the_mean_of_models_with_one_beginning(recipe, blobs):
    made = Soup(members=4, kind="uniform").make(recipe, blobs, CONFIGS, seed=1)
    assert len(made.facts["soup"]) == 4
    assert len(made.members) == 1
    again = Soup(members=4, kind="greedy").make(recipe, blobs, CONFIGS, seed=1)
    assert set(again.facts["soup"]) <= set(made.facts["soup"])


def test_a_greedy_soup_takes_what_does_not_make_it_worse(recipe, blobs):
    found = DeepEnsemble(members=4).make(recipe, blobs, CONFIGS, seed=1)
    members, kitchen = members_of(found), Kitchen(complete(recipe, blobs), blobs)
    losses = [kitchen.loss(m.model, m.config) for m in members]
    soup = Soup().mix(complete(recipe, blobs), blobs, members)
    # The algorithm of the paper, written out.
    ranked = [members[i] for i in sorted(range(4), key=losses.__getitem__)]
    chosen, best = [ranked[0]], min(losses)
    for member in ranked[1:]:
        tried = kitchen.loss(average([m.model for m in (*chosen, member)]), member.config)
        if tried <= best:
            chosen, best = [*chosen, member], tried
    assert soup.facts["soup"] == [member.id for member in chosen]
    torch.testing.assert_close(
        dict(soup.members[0].state_dict()), average([m.model for m in chosen])
    )
    assert kitchen.loss(soup.members[0].state_dict(), CONFIGS[0]) <= min(losses) + 1e-12


def curve(config):
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def test_models_in_different_valleys_are_refused_as_a_uniform_soup(line):
    recipe = complete(rp.Recipe(model=curve, epochs=30, dtype="float64"), line)
    found = DeepEnsemble(members=1).make(recipe, line, rp.Config({"lr": 0.03}), seed=1)
    one = members_of(found)[0]
    # The same function with its hidden units in another order: no worse, and far away.
    units = torch.arange(7, -1, -1)
    model = {**one.model, "2.weight": one.model["2.weight"][:, units]}
    model |= {name: one.model[name][units] for name in ("0.weight", "0.bias")}
    other = Member("other", one.config, model)
    kitchen = Kitchen(recipe, line)
    losses = [kitchen.loss(each.model, one.config) for each in (one, other)]
    assert losses[0] == pytest.approx(losses[1])
    middle = kitchen.loss(average([one.model, other.model]), one.config)
    assert kitchen.barrier(one, other) == pytest.approx(middle - losses[0])
    with pytest.raises(EnsembleError, match="their mean is no model"):
        Soup(kind="uniform").mix(recipe, line, [one, other])
    # Equal but for the rounding of a sum, so either may come first; the other is left out.
    greedy = Soup(kind="greedy").mix(recipe, line, [one, other])
    assert greedy.facts["soup"] in (["0"], ["other"])


def test_other_architectures_are_refused(recipe, blobs):
    configs = [CONFIGS[0], rp.Config({"lr": 0.01, "hidden": 4})]
    found = DeepEnsemble(members=2).make(recipe, blobs, configs)
    with pytest.raises(EnsembleError, match="different architectures"):
        Soup().mix(complete(recipe, blobs), blobs, members_of(found))
    with pytest.raises(EnsembleError, match="kind = 'thick'"):
        Soup(kind="thick")


def test_batch_norms_of_a_soup_are_measured_anew(recipe, blobs):
    configs = [rp.Config({**config, "norm": True}) for config in CONFIGS]
    made = Soup(members=4, kind="uniform", barrier=10.0).make(recipe, blobs, configs, seed=1)
    soup = made.members[0]
    x = torch.from_numpy(blobs.train.x).double()
    inside = soup[0](x)
    means = torch.stack([part.mean(0) for part in inside.split(32)]).mean(0)
    torch.testing.assert_close(soup[1].running_mean, means)
