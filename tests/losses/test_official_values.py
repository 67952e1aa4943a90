"""The values of the papers' released code on tiny inputs, run once (float64, CPU) and written down here."""

import pytest
import torch
from torch.nn.functional import normalize

import rankbook as rb
from losses.scenes import gradients


def rows(*values):
    return normalize(torch.tensor(values, dtype=torch.float64), dim=1)


def test_recall_at_k_with_the_query_in_its_gallery():
    """RS@k: the query stands in the way of its positives, and is none of them."""
    loss = rb.RecallAtKLoss(k=(1, 2), tau_rank=1.0, tau_score=0.01, include_query=True)
    value = loss(rows([1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]), torch.tensor([0, 0, 1, 1]))
    assert value.item() == pytest.approx(0.527487, abs=1e-6)


@pytest.mark.parametrize(("order", "value"), [("levels", 0.119629), ("relevance", 0.109295)])
def test_h_ap_in_the_order_of_levels(order, value):
    """HAPPIER, SupRank: items are ordered by the levels that they share. Ours, by relevance, differs where classes are unequal."""
    embeddings = rows([1, 0, 0], [1, 0.3, 0], [1, -0.3, 0.1], [1, 0.1, 0.2], [0, 0, 1])
    labels = torch.tensor([[0, 0], [0, 0], [0, 0], [1, 0], [2, 1]])
    loss = rb.SupHAPLoss(order=order, include_query=True)
    assert loss(embeddings, labels).item() == pytest.approx(value, abs=1e-6)


def test_black_box_ap_of_the_roadmap_baseline():
    """Strength 4 on ranks divided by n, rank+ held constant, the query in its gallery."""
    embeddings = rows([1, 0], [0.6, 0.8], [0.8, 0.6], [0, 1])
    loss = rb.BlackBoxAPLoss(strength=4.0, margin=0.02, include_query=True)
    _, grad = gradients(lambda x: loss(x, torch.tensor([0, 0, 1, 1])), embeddings)
    magnitudes = grad.abs().flatten().sort().values
    torch.testing.assert_close(magnitudes, torch.tensor([0.025] * 4 + [0.125] * 4, dtype=torch.float64), rtol=0, atol=1e-12)
