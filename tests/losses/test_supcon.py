"""The baselines that are no rank losses."""

import pytest
import torch

import oracles
import rankbook as rb
from losses.scenes import SIZES, batch, unit


@pytest.mark.parametrize("include_query", [False, True])
@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_sup_con_is_the_loop(temperature, include_query):
    embeddings, labels = batch(SIZES)
    expected = oracles.supervised_contrastive(
        (embeddings @ embeddings.T).tolist(), rb.same_label(labels).tolist(), temperature, without_query=not include_query
    )
    loss = rb.SupConLoss(temperature, include_query=include_query)(embeddings, labels)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_sup_con_with_one_positive_is_info_nce():
    queries, keys, labels = unit(6, 8), unit(6, 8), torch.arange(6)
    expected = torch.nn.functional.cross_entropy(queries @ keys.T / 0.07, labels)
    torch.testing.assert_close(rb.SupConLoss(0.07)(queries, labels, keys, labels), expected)
