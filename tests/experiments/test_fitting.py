"""Every task trains the same way: by its seed alone, the loss's own weights too, and nothing that is frozen."""

import copy

import torch
from torch import nn

from rankbook.experiments.tasks.fitting import minimize, seeded


class Scaled(nn.Module):
    """Squared error times a weight of its own; another weight is frozen."""

    def __init__(self):
        super().__init__()
        self.own = nn.Parameter(torch.ones(()))
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, scores, target):
        return (self.own * self.frozen * scores.squeeze(1) - target).square().mean()


def fitted(seed, **knobs):
    loss = Scaled()
    with seeded(seed) as generator:
        model = nn.Linear(3, 1)
        first = copy.deepcopy(model)
        batches = iter([(x, x[:, 0]) for x in torch.randn(4, 8, 3, generator=generator)])
        minimize(model, loss, batches, steps=4, **{"lr": 0.1, **knobs})
    return first, model, loss


def test_the_seed_alone_decides():
    torch.manual_seed(5)
    (one, end, _), (other, end_too, _) = fitted(0), fitted(0)
    assert torch.equal(one.weight, other.weight) and torch.equal(end.weight, end_too.weight)
    assert not torch.equal(fitted(1)[0].weight, one.weight)


def test_the_random_state_and_the_threads_of_the_caller_stay():
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    with seeded(3):
        assert torch.get_num_threads() == 1
        torch.rand(7)
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


def test_weights_of_the_loss_learn_and_frozen_ones_stay():
    first, model, loss = fitted(0)
    assert not torch.equal(first.weight, model.weight)
    assert loss.own != 1 and loss.frozen == 1


def test_the_rate_falls_to_zero_and_decay_is_passed_on():
    """Four steps of Adam at rates 1, .85, .5, .15 of the peak: no weight moves farther than their sum, some 2.5 peaks."""
    first, model, _ = fitted(0, lr=0.01, weight_decay=0.0)
    assert 0 < (model.weight - first.weight).abs().max() < 0.01 * 2.6
    first, model, _ = fitted(0, lr=1e-3, weight_decay=900.0)  # nearly all of a weight decays in the first step
    assert model.weight.abs().max() < 0.2 * first.weight.abs().max()
