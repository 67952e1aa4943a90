"""Calls of the batch losses that say who is in whose gallery, what is positive for whom, and what weighs how much."""

import torch

from losses.scenes import batch

B, M = 7, 9
#: What a call says: labels or relevance; a reference set, in which most queries stand, or none; a mask; weights of queries, of items.
CALLS = {
    "own, mask": ("labels", None, "[m]", ""),
    "own, masks": ("labels", None, "[b, m]", "q"),
    "own, relevance": ("relevance", None, "[b, m]", "qi"),
    "places": ("labels", "ref", None, "i"),
    "places, mask": ("labels", "ref", "[m]", "qi"),
    "places, masks": ("labels", "ref", "[b, m]", "q"),
    "places, relevance": ("relevance", "ref", None, "qi"),
}


def call(name, *, levels=False):
    """Embeddings and the other arguments."""
    by, ref, mask, weights = CALLS[name]
    m = M if ref else B
    embeddings, labels = batch((3, 2, 2), levels=levels)
    arguments = {}
    if ref:
        others, ref_labels = batch((4, 2, 1, 1, 1), levels=levels)
        arguments["ref_embeddings"] = others
        places = torch.randperm(M)[:B]
        places[2] = -1
        arguments["self_index"] = places  # of any label, as a relabeled item has
    if by == "labels":
        arguments |= {"labels": labels} | ({"ref_labels": ref_labels} if ref else {})
    else:
        arguments["relevance"] = torch.tensor([0.0, 0.0, 0.5, 1.0, 2.0], dtype=torch.float64)[torch.randint(5, (B, m))]
    if mask:
        arguments["where"] = torch.rand((m,) if mask == "[m]" else (B, m)) < 0.8
    if "q" in weights:
        arguments["query_weights"] = torch.tensor([1.0, 2.0, 0.5, 0.0, 1.0, 3.0, 1.0], dtype=torch.float64)
    if "i" in weights:
        arguments["item_weights"] = torch.tensor([1.0, 0.0, 2.0, 1.0, 0.5, 3.0, 1.0, 1.0, 0.25], dtype=torch.float64)[:m]
    return embeddings, arguments


def masked(case, arguments, include_query=False):
    """The gallery of each query [b, m] and the relevance in it, from the definitions."""
    labels, ref_labels = arguments.get("labels"), arguments.get("ref_labels")
    m = len(arguments["ref_embeddings"]) if "ref_embeddings" in arguments else B
    places = arguments.get("self_index", torch.arange(B))
    itself = torch.arange(m) == places[:, None]
    where = arguments.get("where", torch.ones(m, dtype=torch.bool)).expand(B, m)
    if not include_query:
        where = where & ~itself
    if labels is None:
        relevance = arguments["relevance"]
    else:
        relevance = case.relevance(labels, labels if ref_labels is None else ref_labels, where)
    if include_query and case.distractor:
        relevance = relevance * ~itself
    return where, relevance


def composed_call(case, arguments, include_query=False):
    """The loss of a case as its metric of its ranker on masked scores: a function of (embeddings, ref_embeddings)."""
    where, relevance = masked(case, arguments, include_query)
    weights = {name: arguments[name] for name in ("query_weights", "item_weights") if name in arguments}

    def loss(embeddings, ref_embeddings=None):
        gallery = embeddings if ref_embeddings is None else ref_embeddings
        return case.composition(embeddings @ gallery.T, relevance, where=where, **weights)

    return loss


def of_embeddings(module, arguments):
    """The call as a function of the embeddings alone."""
    rest = {name: value for name, value in arguments.items() if name != "ref_embeddings"}

    def loss(embeddings, ref_embeddings=None):
        return module(embeddings, ref_embeddings=ref_embeddings, **rest)

    return loss


def leaves(embeddings, arguments):
    return (embeddings, arguments["ref_embeddings"]) if "ref_embeddings" in arguments else (embeddings,)


def alone(case, module, arguments):
    """The losses of the queries, each sent alone, with no other reference set than its own gallery; 0 without a positive."""
    where, _ = masked(case, arguments)
    labels, relevance, item_weights = (arguments.get(name) for name in ("labels", "relevance", "item_weights"))
    level = -1 if module.graded else 0  # that makes an item a positive

    def loss(embeddings, ref_embeddings=None):
        gallery = embeddings if ref_embeddings is None else ref_embeddings
        losses = []
        for q, items in enumerate(where):
            rest = {} if item_weights is None else {"item_weights": item_weights[items]}
            if labels is None:
                rest["relevance"] = relevance[q : q + 1, items]
                positive = relevance[q] > 0
            else:
                ref_labels = arguments.get("ref_labels", labels)
                rest |= {"labels": labels[q : q + 1], "ref_labels": ref_labels[items]}
                positive = ref_labels.view(len(ref_labels), -1)[:, level] == labels.view(B, -1)[q, level]
            counted = positive & items & (torch.ones_like(positive) if item_weights is None else item_weights > 0)
            one = module(embeddings[q : q + 1], ref_embeddings=gallery[items], **rest) if counted.any() else torch.zeros(())
            losses.append(one.double())
        return torch.stack(losses)

    return loss
