"""Who is a positive for whom, and who is in whose gallery, against loops over all pairs."""

import itertools

import pytest
import torch

from losses.scenes import unit
from rankbook.retrieval.batch import check_batch
from rankbook.retrieval.positives import Positives, true_places

B, M = 9, 14


def draw(own, by, mask, weighed, seed):
    """A batch with few classes of unequal size, some queries that stand in the reference set, and masks that empty some lists."""
    torch.manual_seed(seed)
    m = B if own else M
    labels, ref_labels = torch.randint(4, (B, 1)) // torch.tensor([1, 2]), torch.randint(5, (m, 1)) // torch.tensor([1, 2])
    embeddings = unit(B, 3)
    arguments = {"ref_embeddings": None if own else unit(m, 3)}
    if by == "labels":
        arguments |= {"labels": labels, "ref_labels": None if own else ref_labels}
    else:
        arguments["relevance"] = (torch.rand(B, m) * torch.randint(2, (B, m))).round(decimals=1)
    if not own:
        arguments["self_index"] = torch.randint(-1, m, (B,))
    if mask is not None:
        arguments["where"] = torch.rand((m,) if mask == "[m]" else (B, m)) < 0.6
    if weighed:
        arguments["item_weights"] = torch.randint(3, (m,))
    return check_batch(embeddings, **arguments)


def by_loops(batch, query, q):
    """The gallery of a query, its positives in order of place, and their relevance."""
    gallery, positives = [], {}
    for j in range(len(batch.gallery)):
        itself = batch.self_index is not None and int(batch.self_index[q]) == j
        there = batch.where is None or bool(batch.where[j] if batch.where.dim() == 1 else batch.where[q, j])
        if not there or (itself and query == "absent"):
            continue
        gallery.append(j)
        if batch.relevance is not None:
            relevance = batch.relevance[q, j].item()
        else:
            relevance = sum(int(a == b) for a, b in zip(batch.labels[q].tolist(), batch.ref_labels[j].tolist(), strict=True))
        if relevance > 0 and not (itself and query == "distractor"):
            positives[j] = relevance
    if batch.item_weights is not None and not any(batch.item_weights[j] > 0 for j in positives):
        positives = {}
    return gallery, positives


@pytest.mark.parametrize("query", ["absent", "positive", "distractor"])
@pytest.mark.parametrize("by", ["labels", "relevance"])
@pytest.mark.parametrize("own", [True, False], ids=["own gallery", "reference set"])
def test_positives_and_galleries_are_those_of_the_loops(own, by, query):
    seen = 0
    for mask, weighed, seed in itertools.product((None, "[m]", "[b, m]"), (False, True), range(4)):
        batch = draw(own, by, mask, weighed, seed)
        found = Positives(batch, query)
        for group in found.groups(lambda size: 2):
            assert group.places.shape == group.relevance.shape
            sizes = torch.as_tensor(group.gallery_sizes(group.where(len(batch.gallery)).double())).expand(len(group.rows), 1)
            for row, q in enumerate(group.rows.tolist()):
                gallery, positives = by_loops(batch, query, q)
                seen += 1
                assert dict(zip(group.places[row].tolist(), group.relevance[row].tolist(), strict=True)) == positives
                assert group.where(len(batch.gallery))[row].nonzero().squeeze(1).tolist() == gallery
                assert int(sizes[row]) == len(gallery)
                if weighed:
                    expected = [batch.item_weights[j].item() for j in group.places[row].tolist()]
                    assert group.weights[row].tolist() == expected
        assert found.total == sum(bool(by_loops(batch, query, q)[1]) for q in range(B))
    assert seen > 60


def test_places_of_the_true_entries():
    mask = torch.tensor([[False, True, False, True, True], [True, False, False, False, False], [False] * 5])
    assert true_places(mask, 3).tolist() == [[1, 3, 4], [0, 0, 0], [0, 0, 0]]
    assert true_places(mask, 2).tolist() == [[1, 3], [0, 0], [0, 0]]
