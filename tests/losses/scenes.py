"""Batches of embeddings and labels, and the same loss computed along other roads."""

import torch
from torch.nn.functional import normalize

DIM = 8
CLASSES = 12  # more than any batch here has
#: Class sizes: unequal, with a singleton; 12 items.
SIZES = (4, 3, 2, 2, 1)


def unit(*shape, dtype=torch.float64):
    return normalize(torch.randn(*shape, dtype=dtype), dim=-1)


def family(labels):
    """Labels [b, 3]: class, pair of classes, four classes."""
    return torch.stack([labels, labels // 2, labels // 4], dim=1)


def batch(sizes=SIZES, *, dtype=torch.float64, levels=False):
    """Embeddings around their class, labels in random order."""
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels))]
    embeddings = normalize(0.6 * unit(CLASSES, DIM, dtype=dtype)[labels] + unit(len(labels), DIM, dtype=dtype), dim=1)
    return embeddings, family(labels) if levels else labels


def clustered(sizes):
    """Similarity 1 within a class, 0 between classes."""
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))[torch.randperm(sum(sizes))]
    return torch.eye(DIM, dtype=torch.float64)[labels], labels


def scored(scores, positive):
    """A batch of queries and a reference set whose matrix of scores is ``scores`` (the reference set is the identity), and in
    which query q has the positives ``positive[q]``: each item may be positive for one query at most."""
    b, m = scores.shape
    ref_labels = torch.where(positive.any(0), positive.int().argmax(0), b)
    return scores, torch.arange(b), torch.eye(m, dtype=scores.dtype), ref_labels


def gradients(loss, *inputs):
    """Value of ``loss(*inputs)`` and its gradients with respect to the inputs, which are copied."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    value = loss(*leaves)
    return value.detach(), *torch.autograd.grad(value, leaves)


def composed(case, labels, ref_labels=None, *, include_query=False):
    """The loss of a case as its metric of its ranker, on the matrix of scores: a function of (embeddings, ref_embeddings)."""

    def loss(embeddings, ref_embeddings=None):
        gallery = embeddings if ref_embeddings is None else ref_embeddings
        scores = embeddings @ gallery.T
        where = torch.ones_like(scores, dtype=torch.bool)
        if ref_embeddings is None and not include_query:
            where.fill_diagonal_(False)
        relevance = case.relevance(labels, labels if ref_labels is None else ref_labels, where)
        if ref_embeddings is None and include_query and case.distractor:
            relevance = relevance.clone().fill_diagonal_(0)
        return case.composition(scores, relevance, where=where)

    return loss


def looped(module, labels):
    """The mean over queries, each sent alone with the rest of the batch as its reference set."""

    def loss(embeddings):
        losses = []
        for q in range(len(labels)):
            others = torch.arange(len(labels)) != q
            if (labels[others] == labels[q]).any():
                losses.append(module(embeddings[q : q + 1], labels[q : q + 1], embeddings[others], labels[others]))
        return torch.stack(losses).mean()

    return loss


def peak_bytes(work):
    """The most memory that torch's CPU allocator hands out above the start while ``work()`` runs, by the profiler's record."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak
