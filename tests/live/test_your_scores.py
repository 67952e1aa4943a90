"""What the page "Your scores" computes in JavaScript equals the package, on files of every shape; and what it refuses, by line."""

import csv
import io
import math
import random
from functools import partial

import pytest
import torch

import rankbook as rb

CUTOFFS = (1, 3, 7)
CLOSE = {"rel": 1e-9, "abs": 1e-9}
# Works a generator to its end; what a file cannot be read for comes back as its error.
FINISH = "((steps) => { let step; do step = steps.next(); while (!step.done); return step.value; })"
READ = (
    "(() => { try { return table_file.readTable(c.text, c.as ?? ''); } "
    "catch (error) { if (!error.ofFile) throw error; return { error: error.message }; } })()"
)
EVALUATE = f"{FINISH}(evaluation.evaluate(table_file.readTable(c.text, c.as ?? '').lists, {list(CUTOFFS)}))"

METRICS = {
    "AP": rb.average_precision,
    "mAP@R": rb.map_at_r,
    "R-precision": rb.r_precision,
    "RR": rb.reciprocal_rank,
    "NDCG": rb.ndcg,
    "H-AP": rb.hierarchical_ap,
    "Spearman": rb.spearman,
    "Kendall": rb.kendall,
    "capped recall@1,3,7": partial(rb.capped_recall, k=CUTOFFS),
    **{f"recall@{k}": partial(rb.recall_at_k, k=k) for k in CUTOFFS},
    **{f"hit@{k}": partial(rb.hit_at_k, k=k) for k in CUTOFFS},
    **{f"precision@{k}": partial(rb.precision_at_k, k=k) for k in CUTOFFS},
    **{f"NDCG@{k}": partial(rb.ndcg, k=k) for k in CUTOFFS},
}


def lists_of(seed: int) -> dict[str, list[tuple[float, float]]]:
    """Queries of 1 to 30 items: ties in every second file, grades in every third, tiny and large scales, some without a positive."""
    draw = random.Random(seed)
    grades = [[0, 1], [0, 1], [0, 1, 2, 3], [0, 0.25, 0.5, 7.5], [0, 1, 400, 1200]][seed % 5]
    scale = 10.0 ** draw.choice([-6, 0, 0, 0, 3])
    lists = {}
    for q in range(draw.randint(1, 8)):
        n = draw.choice([1, 2, 5, 12, 30])
        prevalence = draw.choice([0, 0.2, 0.6, 1])
        rows = []
        for _ in range(n):
            score = draw.gauss(0, 1)
            score = round(score * 2) / 2 if seed % 2 else score
            rows.append((score * scale, draw.choice(grades[1:]) if draw.random() < prevalence else 0))
        lists[draw.choice(["q{}", "a query; {}", 'he said "{}"', "{}", "é,{}"]).format(q)] = rows
    lists["last"] = [(0.5, 1), (0.25, 0)]  # at least one positive
    return lists


def written(lists: dict, seed: int) -> str:
    """The lists as a file: rows of all queries mixed, columns in any order, one of three delimiters, with or without a header."""
    draw = random.Random(seed)
    delimiter = draw.choice(",;\t")
    comma = delimiter != "," and draw.random() < 0.5
    rows = [(query, *row) for query, rows in lists.items() for row in rows]
    order = sorted(range(len(rows)), key=lambda _: draw.random()) if seed % 3 else range(len(rows))
    columns, names = [0, 1, 2], draw.choice([("query", "score", "relevance"), ("QID", "y_score", "label"), ("topic", "Similarity", "rel")])
    header = draw.random() < 0.6
    if header:
        draw.shuffle(columns)
    number = lambda x: repr(x).replace(".", ",") if comma else repr(x)  # noqa: E731
    out = io.StringIO()
    end = draw.choice(["\n", "\r\n"])
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    if header:
        writer.writerow([names[c] for c in columns])
    for i in order:
        query, score, relevance = rows[i]
        cells = [query, number(score), number(relevance)]
        writer.writerow([cells[c] for c in columns])
        if draw.random() < 0.05:
            out.write(end)
    return draw.choice(["", "\ufeff"]) + out.getvalue()


FILES = [{"lists": lists_of(seed), "text": written(lists_of(seed), seed)} for seed in range(100)]


def tensors(rows):
    scores, relevance = zip(*rows, strict=True)
    return torch.tensor(scores, dtype=torch.float64), torch.tensor(relevance, dtype=torch.float64)


def of_each(metric, lists) -> list:
    """The value of each list, None where it is undefined: the package says so by raising."""
    values = []
    for rows in lists:
        try:
            values.append(metric(*tensors(rows)).item())
        except ValueError:  # no positive, or a constant list
            values.append(None)
    return values


def same(found, expected):
    """Equal to 1e-9, and undefined (None) at the same places."""
    found, expected = ([one] if one is None or isinstance(one, float | int) else one for one in (found, expected))
    assert [one is None for one in found] == [one is None for one in expected]
    return [one for one in found if one is not None] == pytest.approx([one for one in expected if one is not None], **CLOSE)


def mean(values) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def in_order(rows, sign) -> list:
    """The list without ties, in the order that a metric likes least (1) or best (-1)."""
    ranked = sorted(rows, key=lambda row: (-row[0], sign * row[1]))
    return [(-place, relevance) for place, (_, relevance) in enumerate(ranked)]


@pytest.fixture(scope="module")
def reports(run_math):
    return run_math(EVALUATE, [{"text": file["text"]} for file in FILES])


def test_the_files_are_of_all_kinds():
    texts = [file["text"] for file in FILES]
    assert sum("\t" in text for text in texts) > 20 and sum(";" in text for text in texts) > 20
    assert sum("\r\n" in text for text in texts) > 20 and sum(text.startswith("\ufeff") for text in texts) > 20
    assert sum('""' in text for text in texts) > 20
    sizes = {len(rows) for file in FILES for rows in file["lists"].values()}
    assert {1, 2, 30} <= sizes
    assert any(not any(rel for _, rel in rows) for file in FILES for rows in file["lists"].values())


def test_every_metric_of_the_package_is_there():
    shown = {(metric.func if isinstance(metric, partial) else metric).__name__ for metric in METRICS.values()}
    assert shown == set(rb.metrics.__all__) - {
        "asi",
        "dcg",
        "reduce_lists",
        "within_top_k",
    }  # ASI wants a tree; DCG compares no lists


def test_the_metrics_equal_the_package(reports):
    differ = 0
    for file, report in zip(FILES, reports, strict=True):
        measured = [rows for rows in file["lists"].values() if any(rel > 0 for _, rel in rows)]
        without = {query for query, rows in file["lists"].items() if not any(rel > 0 for _, rel in rows)}
        assert set(report["left"]) == without and len(report["lists"]) == len(measured)
        assert [metric["name"] for metric in report["metrics"]] == list(METRICS)
        order = [one["query"] for one in report["lists"]]
        lists = [file["lists"][query] for query in order]
        for found, metric in zip(report["metrics"], METRICS.values(), strict=True):
            each = of_each(metric, lists)
            assert same(found["each"], each), found["name"]
            assert same(found["value"], mean(each)), found["name"]
            assert found["counted"] == sum(value is not None for value in each)
            differ += found["value"] not in (0, 1, None)
    assert differ > 1000


def test_worst_and_best_are_those_of_the_orders(reports):
    wider = 0
    for file, report in zip(FILES, reports, strict=True):
        lists = [file["lists"][one["query"]] for one in report["lists"]]
        for found, metric in zip(report["metrics"], METRICS.values(), strict=True):
            for key, sign in (("worst", 1), ("best", -1)):
                each = of_each(metric, [in_order(rows, sign) for rows in lists])
                assert same(found[key], mean(each)), (found["name"], key)
            wider += found["best"] is not None and found["best"] > found["worst"] + 1e-6
    assert wider > 200


def test_no_order_is_worse_than_the_worst_or_better_than_the_best(reports):
    draw = random.Random(0)
    for file, report in zip(FILES[1::10], reports[1::10], strict=True):
        lists = [file["lists"][one["query"]] for one in report["lists"]]
        for _ in range(5):
            shuffled = [[(-p, rel) for p, (_, rel) in enumerate(sorted(rows, key=lambda row: (-row[0], draw.random())))] for rows in lists]
            for found, (name, metric) in zip(report["metrics"], METRICS.items(), strict=True):
                if (value := mean(of_each(metric, shuffled))) is not None:
                    assert found["worst"] - 1e-9 <= value <= found["best"] + 1e-9, name


def test_ties_are_counted(reports):
    for file, report in zip(FILES, reports, strict=True):
        lists = [file["lists"][one["query"]] for one in report["lists"]]
        pairs = [[(a, b) for i, a in enumerate(rows) for b in rows[:i] if a[0] == b[0]] for rows in lists]
        mixed = [[pair for pair in one if pair[0][1] != pair[1][1]] for one in pairs]
        assert report["ties"] == {
            "lists": sum(map(bool, pairs)),
            "pairs": sum(map(len, pairs)),
            "mixedLists": sum(map(bool, mixed)),
            "mixed": sum(map(len, mixed)),
        }


# ------------------------------------------------------------------ embeddings


def embeddings_of(seed: int):
    generator = torch.Generator().manual_seed(seed)
    n, d = 4 + 3 * seed, 1 + seed % 5
    embeddings = torch.randn(n, d, generator=generator, dtype=torch.float64)
    if seed % 3 == 0:
        embeddings = embeddings.round()  # whole numbers: their products tie, and have no rounding
    labels = torch.randint(1 + n // 3, (n,), generator=generator)
    labels[1] = labels[0]
    return embeddings, labels


@pytest.mark.parametrize("label", ["first", "last", "named", "word"])
def test_embeddings_equal_evaluate_retrieval(run_math, label):
    cases, expected = [], []
    for seed in range(12):
        embeddings, labels = embeddings_of(seed)
        rows = [[repr(x) for x in row] for row in embeddings.tolist()]
        names = [f"class {y}" if label == "word" else str(y) for y in labels.tolist()]
        first = label in ("first", "named") or (label == "word" and seed % 2)
        rows = [[name, *row] if first else [*row, name] for name, row in zip(names, rows, strict=True)]
        header = [["label", *(f"d{i}" for i in range(embeddings.shape[1]))]] if label == "named" else []
        found_out = label == "named" or (label == "word" and len(rows[0]) > 3)  # three columns without a name are a list
        told = "" if found_out else "first" if first else "last"
        cases.append({"text": "\n".join(",".join(row) for row in header + rows), "as": told})
        expected.append(rb.evaluate_retrieval(embeddings, labels, metrics=METRICS))
    for report, values in zip(run_math(EVALUATE, cases), expected, strict=True):
        assert {metric["name"]: metric["value"] for metric in report["metrics"]} == pytest.approx(values, **CLOSE)
