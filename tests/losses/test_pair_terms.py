"""Sums over pairs: those of a loop, in value and gradient, whether all items of a list or few of them are more relevant than another."""

import math

import pytest
import torch

from rankbook.losses.pair_terms import pair_terms

N = 9


def weight_of(kind, facts, i, j):
    """Of item i against a less relevant j; ``facts`` without the two rows of the order."""
    if kind == "equal":
        return 1.0
    if kind == "matrix":
        return facts[j][i]
    if kind == "ndcg":
        gain, discount = facts
        return abs((gain[i] - gain[j]) * (discount[i] - discount[j]))
    if kind == "average_precision":
        place, a, b = facts
        return abs(b[j] - b[i]) if place[j] < place[i] else abs(a[i] - a[j])
    own, other, first = facts
    return abs(max(own[j], other[i]) - first[i])


FACTS = {"equal": 0, "ndcg": 2, "average_precision": 3, "reciprocal_rank": 3, "matrix": N}
GRADES = {
    "few": [[0, 0, 2, 0, 0, 1, 0, 0, 0], [0] * 7 + [1, 0]],
    "most": [[1, 2, 0, 1, 2, 1, 1, 2, 1], [1] * 8 + [0]],
    "none": [[0] * 9] * 2,
}


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("grades", GRADES)
@pytest.mark.parametrize("kind", FACTS)
def test_terms_are_those_of_a_loop(kind, grades, absent):
    draw = torch.Generator().manual_seed(0)
    scores = torch.randn(2, N, generator=draw, dtype=torch.float64).requires_grad_()
    grade = torch.tensor(GRADES[grades], dtype=torch.float64)
    facts = torch.rand(2, FACTS[kind], N, generator=draw, dtype=torch.float64)
    outgoing = torch.randn(2, N, generator=draw, dtype=torch.float64)
    where = None
    if absent:
        where = torch.ones(2, N, dtype=torch.bool)
        where[0, 2] = where[1, 0] = False
        grade = grade.masked_fill(~where, -1.0)
    terms = pair_terms(kind, scores, where, grade, facts if FACTS[kind] else None, sigma=1.5)
    (slope,) = torch.autograd.grad(terms, scores, outgoing)
    for of_list in range(2):
        s, g, f = scores[of_list].tolist(), grade[of_list].tolist(), facts[of_list].tolist()
        pulls = [0.0] * N
        for i in range(N):
            total = 0.0
            for j in range(N):
                if g[i] > g[j] >= 0:
                    w, behind = weight_of(kind, f, i, j), 1.5 * (s[j] - s[i])
                    total += w * math.log1p(math.exp(behind))
                    pull = 1.5 * outgoing[of_list, i].item() * w / (1 + math.exp(-behind))
                    pulls[i], pulls[j] = pulls[i] - pull, pulls[j] + pull
            assert terms[of_list, i].item() == pytest.approx(total, abs=1e-12)
        assert slope[of_list].tolist() == pytest.approx(pulls, abs=1e-12)
