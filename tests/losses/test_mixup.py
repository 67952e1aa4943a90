"""Virtual items between those of a class: their similarities are mixtures, their gradient flows to the parents, in every batch loss."""

import itertools

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.contract import CASES, same_class

LABELS = torch.tensor([0, 1, 0, 2, 1, 0])
PAIRS = [(i, j) for i, j in itertools.combinations(range(6), 2) if LABELS[i] == LABELS[j]]  # 4
exact = {"rtol": 0, "atol": 1e-12}


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def vectors():
    return torch.nn.functional.normalize(torch.randn(6, 4, dtype=torch.float64), dim=1)


def shares():
    return torch.rand(len(PAIRS), 1, generator=seeded(), dtype=torch.float64)[:, 0].tolist()


def similarities(x, queries):
    """By the equation, from the similarities of the real items alone: the rows of ``queries`` to all items, then to all virtual ones."""
    real = (x @ x.T).tolist()
    mixed = [[a * row[i] + (1 - a) * row[j] for (i, j), a in zip(PAIRS, shares(), strict=True)] for row in real]
    return torch.tensor([real[q] + mixed[q] for q in queries], dtype=torch.float64)


class Seen(torch.nn.Module):
    """A loss that keeps what it is given."""

    def forward(self, embeddings, labels, ref_embeddings=None, ref_labels=None, *, self_index=None, where=None):
        self.call = embeddings, labels, ref_embeddings, ref_labels, self_index, where
        return embeddings.sum()


def test_the_gallery_is_the_mixtures_and_nobody_meets_what_lies_beside_it():
    x, seen = vectors(), Seen()
    rb.SimilarityMixup(seen, generator=seeded())(x, LABELS)
    embeddings, _, gallery, everyone, places, where = seen.call
    assert torch.equal(embeddings, x) and places.tolist() == list(range(6))
    assert_close(embeddings @ gallery.T, similarities(x, range(6)), **exact)
    assert everyone[:, 0].tolist() == [*LABELS.tolist(), *(LABELS[i].item() for i, _ in PAIRS)]
    assert where.tolist() == [[True] * 6 + [q not in pair for pair in PAIRS] for q in range(6)]


def test_the_released_form_makes_queries_of_them_too():
    x, seen = vectors(), Seen()
    rb.SimilarityMixup(seen, as_queries=True, generator=seeded())(x, LABELS)
    embeddings, labels, gallery, *_ = seen.call
    assert gallery is None and len(embeddings) == len(labels) == 10
    assert_close(embeddings[:6] @ embeddings.T, similarities(x, range(6)), **exact)


@pytest.mark.parametrize("as_queries", [False, True])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_every_batch_loss_takes_it(case, as_queries):
    """The virtual items count: the loss is another one, and so is the gradient of their parents."""
    loss, x = case.make(), vectors().requires_grad_()
    labels = LABELS if case.relevance is same_class else torch.stack([LABELS, LABELS // 2], 1)
    mixed, plain = rb.SimilarityMixup(loss, as_queries=as_queries, generator=seeded())(x, labels), loss(x, labels)
    with_virtual, without = (torch.autograd.grad(value, x)[0] for value in (mixed, plain))
    assert mixed.isfinite() and with_virtual.isfinite().all()
    assert mixed != plain and not torch.equal(with_virtual, without)


def test_its_slope_is_the_gradient():
    x = vectors().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rb.SimilarityMixup(rb.SmoothAPLoss(tau=0.3), generator=seeded())(x, LABELS), x)


def test_nothing_is_mixed_in_evaluation_or_without_pairs():
    x, loss = vectors(), rb.SmoothAPLoss(tau=0.1)
    mixup = rb.SimilarityMixup(loss)
    assert torch.equal(mixup.eval()(x, LABELS), loss(x, LABELS))
    alone = torch.arange(6)
    with pytest.warns(UserWarning, match="positive"):
        assert mixup.train()(x, alone) == 0


def test_levels_strings_and_the_seed():
    x, loss = vectors(), rb.SupHAPLoss(tau=0.1)
    levels = torch.stack([LABELS, LABELS.clamp(max=1)], 1)
    first, again, other = (rb.SimilarityMixup(loss, generator=seeded(s))(x, levels) for s in (1, 1, 2))
    assert first == again != other
    names = [f"class {y}" for y in LABELS.tolist()]
    by_name, by_number = (rb.SimilarityMixup(rb.SmoothAPLoss(), generator=seeded())(x, y) for y in (names, LABELS))
    assert by_name == by_number


@pytest.mark.parametrize(("labels", "said"), [(LABELS[:5], "labels"), (torch.rand(6), "labels must be integers")])
def test_bad_labels_are_named(labels, said):
    with pytest.raises((ValueError, TypeError), match=said):
        rb.SimilarityMixup(rb.SmoothAPLoss())(vectors(), labels)
