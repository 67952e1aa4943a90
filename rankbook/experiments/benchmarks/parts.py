"""How fast and how lean are the losses, next to their peers? The parts of the benchmark, each a series of lines.

Every figure is a ratio: ours and the peer run in turn in one process, on one thread, in CPU seconds; the ratio is taken pair
by pair, and its median is told with the middle half; next to a peer whose tensors have B^3 entries it is that over five
processes. Peak memory is that of a fresh process, above what the same process needs at a tiny batch. Peers that pip installs
are imported (extra ``bench``); the others are computed as their authors' code does (`rankbook.experiments.benchmarks.peers`
and ``rank_peers``). A peer that is not installed is left out and named.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import partial

import torch

from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.benchmarks import peers
from rankbook.experiments.benchmarks.label_sums import label_sums
from rankbook.experiments.benchmarks.matchings import matchings
from rankbook.experiments.benchmarks.measures import fresh_peak, fresh_ratios, ratios
from rankbook.experiments.benchmarks.rows import Row, batch, installed, row, step
from rankbook.experiments.benchmarks.soft_ranks import soft_ranks
from rankbook.losses import BlackBoxAPLoss, CalibrationLoss, FastAPLoss, RecallAtKLoss, SmoothAPLoss, SoftBinAPLoss
from rankbook.metrics import average_precision, map_at_r

#: The stand-ins of `rankbook.experiments.peers`, in the table.
CUBIC, LOOPED, BINS, SORTED = "authors' way, B^3", "authors' way, loop over queries", "authors' way, B x B x bins", "authors' way, argsort"


def losses() -> Iterator[Row]:
    """Goals 1 and 4: times cheaper than the peer."""
    pml = installed("pytorch_metric_learning.losses")
    for size, goal, pairs in ((128, 20, 11), (384, 200, 3)):
        ours = step(SmoothAPLoss(), size)
        found = ratios_of_steps("peers.cubic_smooth_ap", "SmoothAPLoss()", size, pairs=pairs // 3)
        yield row("SmoothAPLoss", CUBIC, f"B={size}", found, at_least=goal)
        if pml:
            found = ratios(step(pml.SmoothAPLoss(), size), ours, pairs=pairs)
            yield row("SmoothAPLoss", "pytorch-metric-learning", f"B={size}", found, at_least=goal)
    found = ratios_of_steps("peers.cubic_sup_ap", "SupAPLoss()", 128, pairs=5)
    yield row("SupAPLoss", CUBIC, "B=128", found, at_least=100)
    found = ratios(step(peers.looped_recall_at_k, 384), step(RecallAtKLoss(), 384), pairs=3)
    yield row("RecallAtKLoss", LOOPED, "B=384", found, at_least=25)
    for size in (384, 1024):
        found = ratios(step(peers.dense_soft_bin_ap, size), step(SoftBinAPLoss(), size), pairs=5)
        yield row("SoftBinAPLoss", BINS, f"B={size}", found, at_least=30)
        found = ratios(step(peers.plain_blackbox_ap, size), step(BlackBoxAPLoss(), size), pairs=5)
        yield row("BlackBoxAPLoss", SORTED, f"B={size}", found, at_least=2.3)
        if pml:
            found = ratios(step(pml.FastAPLoss(), size), step(FastAPLoss(), size), pairs=7)
            yield row("FastAPLoss", "pytorch-metric-learning", f"B={size}", found, at_least=4)
            dot = importlib.import_module("pytorch_metric_learning.distances").DotProductSimilarity(normalize_embeddings=False)
            found = ratios(step(pml.ContrastiveLoss(0.9, 0.6, distance=dot), size), step(CalibrationLoss(violations_only=True), size))
            yield row("CalibrationLoss", "pytorch-metric-learning", f"B={size}", found, at_least=1.2)


def floor() -> Iterator[Row]:
    """Goal 3: how far above the sigmoids and matrix products that nobody can avoid."""
    for size in (1024, 2048, 4096):
        for dimensions in (128, 512):
            embeddings, _ = batch(size, dimensions)
            x, scores = embeddings.detach(), torch.empty(size, size)
            steps = torch.randn(1 << 18)
            blocks = 3 * size * size / steps.numel()  # R = 3 positives a query

            def least(x=x, scores=scores, steps=steps, blocks=blocks) -> None:
                torch.mm(x, x.T, out=scores)
                scores @ x, scores.T @ x
                for _ in range(round(blocks)):
                    torch.sigmoid(steps)

            found = ratios(step(SmoothAPLoss(), size, dimensions), least, pairs=5, repeat=1)
            yield row("SmoothAPLoss", "floor: 3 products, 3 B^2 sigmoids", f"B={size}, d={dimensions}", found, at_most=2.0)


def galleries(size: int = 10_000) -> Iterator[Row]:
    """Goal 6: metrics of a whole gallery."""
    embeddings, labels = batch(size)
    embeddings = embeddings.detach()

    def product() -> None:
        for part in embeddings.split(512):
            part @ embeddings.T

    def at_r() -> None:
        evaluate_retrieval(embeddings, labels, metrics={"mAP@R": map_at_r})

    yield row("mAP@R", "bare matrix product", f"N={size}", ratios(at_r, product, pairs=5, repeat=1), at_most=1.7)
    if accuracy := installed("pytorch_metric_learning.utils.accuracy_calculator"):
        inference = importlib.import_module("pytorch_metric_learning.utils.inference")
        distance = importlib.import_module("pytorch_metric_learning.distances").CosineSimilarity()
        search = inference.CustomKNN(distance, batch_size=512)
        calculator = accuracy.AccuracyCalculator(include=("mean_average_precision_at_r",), k="max_bin_count", knn_func=search)
        peer = partial(calculator.get_accuracy, embeddings, labels)
        yield row("mAP@R", "pytorch-metric-learning", f"N={size}", ratios(peer, at_r, pairs=5, repeat=1), at_least=1.0)
    queries = slice(0, size // 20)  # the slow peers answer a twentieth of the queries; so do we

    def some() -> None:
        evaluate_retrieval(embeddings[queries], labels[queries], embeddings, labels, metrics={"AP": average_precision})

    if sklearn := installed("sklearn.metrics"):

        def by_sklearn() -> None:
            for s, label in zip((embeddings[queries] @ embeddings.T).numpy(), labels[queries], strict=True):
                sklearn.average_precision_score((labels == label).numpy(), s)

        yield row("AP", "scikit-learn", f"{size // 20} of N={size}", ratios(by_sklearn, some, pairs=3, repeat=1), 15)
    if retrieval := installed("torchmetrics.functional.retrieval"):

        def by_torchmetrics() -> None:
            for s, label in zip(embeddings[queries] @ embeddings.T + 2, labels[queries], strict=True):  # it ignores scores <= 0
                retrieval.retrieval_average_precision(s, labels == label)

        yield row("AP", "torchmetrics", f"{size // 20} of N={size}", ratios(by_torchmetrics, some, pairs=3, repeat=1), 15)


def memory() -> Iterator[Row]:
    """Goal 2: megabytes that one step takes in a process of its own, after a tiny one."""
    large = peak_of_step("SmoothAPLoss()", 4096)
    yield row("SmoothAPLoss", "peak memory in MB", "B=4096", [large], at_most=16)
    ours, cubic = peak_of_step("SmoothAPLoss()", 256), peak_of_step("peers.cubic_smooth_ap", 256)
    yield row("SmoothAPLoss", f"memory of {CUBIC}", "B=256", [cubic / ours], at_least=100)


def ratios_of_steps(peer: str, loss: str, size: int, pairs: int) -> list[float]:
    prepare = (
        "import torch\nfrom rankbook.experiments.benchmarks import peers, rows\nfrom rankbook.losses import SmoothAPLoss, SupAPLoss\n"
        f"torch.set_num_threads(1)\nslow, quick = rows.step({peer}, {size}), rows.step({loss}, {size})"
    )
    return fresh_ratios(prepare, pairs=pairs)


def peak_of_step(loss: str, size: int) -> float:
    prepare = (
        "import torch\nfrom rankbook.experiments.benchmarks import peers, rows\nfrom rankbook.losses import SmoothAPLoss\n"
        f"torch.set_num_threads(1)\nloss = {loss}\nrows.step(loss, 8)()\nwork = rows.step(loss, {size})"
    )
    return fresh_peak(prepare, "work()")


PARTS = {
    "losses": losses,
    "floor": floor,
    "ranks": soft_ranks,
    "galleries": galleries,
    "memory": memory,
    "matchings": matchings,
    "labels": label_sums,
}
