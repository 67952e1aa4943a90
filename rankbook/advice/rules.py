"""Which loss for which answers. Exactly one rule holds for any answers (a test tries them all); any number of notes may.

``when``: a question -> the answers that it may have; ``batch`` is classes times images a class, and "from", "below" bound it; ``over`` is
"yes" where the batch is more than the encoder's memory holds. In a text, {batch}, {others} and {positives} are those of one query.
``evidence``: (loss, rival, metric) of the table of evidence, "loss" being the one that the sentence is about; what was measured on all
sets is told by ``board``, (loss, metric) of the leaderboard, and by ``against``, see `rankbook.advice.against`.
"""

from __future__ import annotations

from typing import Any

from rankbook.advice.against import AGAINST, LISTS_AP, Against, on_trees

Rule = dict[str, Any]
#: The largest batch for which what was measured at 32 classes of 4 images speaks.
NEAR = 256

_EMBEDDINGS, _SCORES = {"train": ["embeddings"]}, {"train": ["scores"]}
_SMALL, _LARGE = {"batch": {"below": NEAR + 1}}, {"batch": {"from": NEAR + 1}}
_TAU = ("Smooth-AP, tau 0.1", "Smooth-AP, tau 0.01")
_RANKER = "partial(rb.sigmoid_ranks, tau=0.1)"
_CLASS = "It costs AP on the class."
_HALVES = (
    "Where the class counts too: half of this loss, half rb.SmoothAPLoss(tau=0.1), the default of the chapter "
    '"Hierarchical retrieval". Where the branches of the test are new, as on birds, expect no gain.'
)
_SCORE = 'Where the scale of the score is good, squared error to its ranks orders as well (chapter "Ranking by a score: memorability").'


def _pairs_first(metric: str, measured: tuple[str, ...], **when: list[str]) -> Rule:
    return {
        "when": {**_EMBEDDINGS, "metric": [metric], **when, **_SMALL},
        "loss": "MultiSimilarityLoss",
        "code": "from pytorch_metric_learning.losses import MultiSimilarityLoss\n\nloss_fn = MultiSimilarityLoss(beta=150)",
        "why": "Not a loss of ranks: on emoji, with a linear head and 32 classes of 4 a batch, this loss of pairs was ahead of every "
        "loss of ranks.",
        "board": ("multi-similarity", measured[0]),
        "evidence": [("multi-similarity", rival, one) for one in measured for rival in ("Smooth-AP", "SupAP", "SupCon")],
        "instead": "To train on the metric itself, as the papers on ranks do: rb.SmoothAPLoss(tau=0.1). "
        "Run both: no loss led on every set.",
    }


def _ranks_first(metric: str, measured: tuple[str, ...], **when: list[str]) -> Rule:
    return {
        "when": {**_EMBEDDINGS, "metric": [metric], **when, **_LARGE},
        "loss": "SmoothAPLoss",
        "code": "loss_fn = rb.SmoothAPLoss(tau=0.1)",
        "why": "It is 1 - AP of the batch, and {others} items show a query much of its ranking. We did not measure batches as large.",
        "board": ("Smooth-AP", measured[0]),
        "evidence": [
            *(("Smooth-AP", rival, one) for one in measured for rival in ("multi-similarity", "SupCon")),
            *((*_TAU, one) for one in measured),
        ],
        "instead": "Run MultiSimilarityLoss of pytorch-metric-learning beside it: on our smaller batches it was ahead.",
    }


def _of_lists(metric: str, loss: str, code: str, why: str, *, against: tuple[Against, ...] = (), rival: str = "") -> Rule:
    return {
        "when": {**_SCORES, "metric": [metric]},
        "loss": loss,
        "code": f"from functools import partial\n\n{code}",
        "why": why,
        "evidence": [],
        "against": against,
        "instead": f"Start tau at half the standard deviation of a list's scores, and try three times less and more.{rival}",
    }


RULES: list[Rule] = [
    _pairs_first("AP", ("mAP@R",)),
    _ranks_first("AP", ("mAP@R",)),
    _pairs_first("hit", ("R@1",)),
    _ranks_first("hit", ("R@1",)),
    _pairs_first("H-AP", ("AP",), graded=["no"]),
    _ranks_first("H-AP", ("AP",), graded=["no"]),
    {
        "when": {**_EMBEDDINGS, "metric": ["H-AP"], "graded": ["yes"]},
        "loss": "SupHAPLoss",
        "code": "loss_fn = rb.SupHAPLoss(tau=0.03, rho=33, delta=0.15)",
        "why": f"It bounds 1 - H-AP from above, and was ahead of every loss beside it on emoji. {_CLASS}",
        "evidence": [("SupH-AP", rival, "H-AP") for rival in ("smooth NDCG", "Smooth-AP", "SupCon")] + [("SupH-AP", "Smooth-AP", "AP")],
        "against": on_trees("H-AP"),
        "instead": _HALVES,
    },
    {
        "when": {**_EMBEDDINGS, "metric": ["NDCG"], "graded": ["yes"]},
        "loss": "SupHAPLoss",
        "code": "loss_fn = rb.SupHAPLoss(tau=0.03, rho=33, delta=0.15)",
        "why": f"Trained on H-AP, it was ahead on NDCG of emoji too, even of the loss that is made for NDCG. {_CLASS}",
        "evidence": [("SupH-AP", rival, "NDCG") for rival in ("smooth NDCG", "Smooth-AP", "SupCon")] + [("SupH-AP", "Smooth-AP", "AP")],
        "against": on_trees("NDCG"),
        "instead": _HALVES,
    },
    {
        "when": {**_EMBEDDINGS, "metric": ["NDCG"], "graded": ["no"]},
        "loss": "SmoothNDCGLoss",
        "code": "loss_fn = rb.SmoothNDCGLoss(tau=0.1)",
        "why": "It is 1 - NDCG of the batch. We measured it on classes by AP and hits, not by NDCG.",
        "evidence": [("smooth NDCG", rival, metric) for metric in ("AP", "R@1") for rival in ("Smooth-AP", "multi-similarity")],
        "instead": "Run MultiSimilarityLoss of pytorch-metric-learning beside it: it was ahead on both.",
    },
    {
        "when": {**_EMBEDDINGS, "metric": ["recall"]},
        "loss": "RecallAtKLoss",
        "code": "loss_fn = rb.RecallAtKLoss(k=(1, 2, 4, 8, 16), tau_score=0.03)",
        "why": "It counts, softly, the relevant items within the top k. Its paper trains it on batches of thousands.",
        "board": ("RS@k", "R@10"),
        "evidence": [("RS@k", rival, "R@10") for rival in ("Smooth-AP", "multi-similarity", "SupCon")],
        "instead": "Name the k that you report. rb.SmoothAPLoss(tau=0.03) is as good a loss; what a larger batch is worth "
        'stands in the chapter "Recall@k on large batches".',
    },
    {
        "when": {**_EMBEDDINGS, "metric": ["Spearman"]},
        "loss": "SpearmanLoss",
        "code": f"from functools import partial\n\nloss_fn = rb.SpearmanLoss({_RANKER})  # loss_fn(scores, target)",
        "why": "Spearman compares a score with a target: give the model one output an item, and the loss a batch of them.",
        "evidence": [],
        "against": AGAINST["SpearmanLoss"],
        "instead": f"Start tau at half the standard deviation of the scores in a batch. {_SCORE}",
    },
    _of_lists(
        "AP",
        "as_loss",
        f"loss_fn = rb.as_loss(rb.average_precision, {_RANKER})",
        "Any metric of ranks with any ranker is a loss; this one is 1 - AP.",
        against=LISTS_AP,
        rival=' Of many labels, cross-entropy is the default (chapter "Many labels").',
    ),
    _of_lists(
        "hit",
        "as_loss",
        f"loss_fn = rb.as_loss(rb.reciprocal_rank, {_RANKER})",
        "A hit is a step of the best rank, and has no gradient; the reciprocal rank wants the same item on top, and has one.",
    ),
    _of_lists(
        "recall",
        "as_loss",
        f"loss_fn = rb.as_loss(rb.capped_recall, {_RANKER}, k=(10,), tau_rank=1.0)",
        "recall@k is a step of each rank; a sigmoid of width tau_rank, in places of the list, takes its stead.",
    ),
    _of_lists(
        "NDCG",
        "as_loss",
        f"loss_fn = rb.as_loss(rb.ndcg, {_RANKER})",
        "Any metric of ranks with any ranker is a loss; this one is 1 - NDCG, for grades of any number.",
    ),
    _of_lists(
        "H-AP",
        "as_loss",
        f"loss_fn = rb.as_loss(rb.hierarchical_ap, {_RANKER})",
        "Any metric of ranks with any ranker is a loss; this one is 1 - H-AP, for relevance in grades.",
    ),
    _of_lists(
        "Spearman",
        "SpearmanLoss",
        f"loss_fn = rb.SpearmanLoss({_RANKER})",
        "The squared distance of the two rankings, which is 1 - Spearman up to a factor.",
        against=AGAINST["SpearmanLoss"],
        rival=f" {_SCORE}",
    ),
]

_CLASS_METRICS = ["AP", "hit", "recall"]
NOTES: list[Rule] = [
    {
        "when": {**_EMBEDDINGS, "metric": ["AP", "hit", "recall", "NDCG", "H-AP"]},
        "text": "In your batch each query ranks {others} items, {positives} of them relevant.",
    },
    {
        "when": {**_EMBEDDINGS, "metric": ["AP"], "per_class": ["2"]},
        "text": "With two images a class a query has one relevant item, and AP in the batch is its reciprocal rank.",
    },
    {
        "when": {**_EMBEDDINGS, "metric": _CLASS_METRICS, "graded": ["yes"]},
        "text": "Give the loss the finest labels alone: SupH-AP on the tree cost AP and hit@1 on the class.",
    },
    {
        "when": {**_EMBEDDINGS, "metric": ["H-AP"], "graded": ["no"]},
        "text": "Without a tree H-AP is AP.",
    },
    {
        "when": {**_EMBEDDINGS, "metric": ["Spearman"]},
        "text": "Embeddings with labels have no Spearman; the line above is for a score.",
    },
    {
        "when": {**_EMBEDDINGS, "over": ["yes"]},
        "text": "{batch} is more than your memory holds: rb.two_pass_backward embeds it in chunks, with the gradient of the whole (chapter "
        '"Many processes"), or take fewer classes. Adding up gradients of small batches trains the small batch\'s ranking, not the large '
        "one's.",
    },
    {
        "when": {**_EMBEDDINGS, "machines": ["many"]},
        "text": "Each process ranks its own {batch} items, and no others: put rb.DistributedLoss around the loss, and the queries of all "
        'processes rank the items of all (chapter "Many processes").',
    },
]
