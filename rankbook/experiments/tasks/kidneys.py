"""A made world of kidneys and patients: published indices, a score of points that knows part of the outcome, and what is observed.

A toy. The indices are the published formulas; the people, the points and the outcome are ours, and tell nothing of real organs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

#: Organs of each part, and the patients who wait for all of them.
ORGANS = {"train": 150, "validation": 50, "test": 50}
PATIENTS = 400
#: Of an organ of the past, how many patients have an outcome: 5 %.
SEEN = 20
#: How much more often a pair is tried whose score is one deviation higher: e to the power of this.
BIAS = 1.0
#: Outcomes over all pairs: 0.5 on average; what else they say is measured in this deviation.
MEAN, DEVIATION = 0.5, 0.1
#: Noise of an observed outcome, in deviations.
NOISE = 0.5


class World(NamedTuple):
    """Organs and patients.

    organs: what is known of an organ, each column with mean 0 and deviation 1 ``[m, f]``
    patients: the same of a patient ``[n, g]``
    score: the KAS-like points of each pair, with mean 0 and deviation 1 ``[m, n]``
    truth: the outcome that is expected of each pair ``[m, n]``; nobody in the world knows it
    seen: the patients whose outcome is known, of each organ of the past ``[150, 20]``
    outcome: their outcomes, with noise ``[150, 20]``
    rows: the organs of each part
    """

    organs: Tensor
    patients: Tensor
    score: Tensor
    truth: Tensor
    seen: Tensor
    outcome: Tensor
    rows: dict[str, Tensor]


def epts(age: Tensor, dialysis: Tensor, diabetes: Tensor, transplanted: Tensor) -> Tensor:
    r"""Raw score of the Estimated Post-Transplant Survival of a patient; higher means fewer years after a transplant.

    .. math::
        .047\,(a - 25)_+ - .015\,D\,(a - 25)_+ + .398\,P - .237\,D P + .315 \ln(t + 1) - .099\,D \ln(t + 1)
        + .130\,[t = 0] - .348\,D\,[t = 0] + 1.262\,D

    Args:
        age: a, in years.
        dialysis: t, years on dialysis.
        diabetes, transplanted: D and P, 1 where the patient has diabetes, or had a transplant before.

    Source: OPTN policy 8.5 and its guide to calculating EPTS.

    >>> from rankbook.experiments.tasks.kidneys import epts
    >>> epts(*torch.tensor([[45.0], [3.0], [0.0], [0.0]]))  # .047 * 20 + .315 * ln 4
    tensor([1.3767])
    """
    over, years, never = (age - 25).clamp(min=0), torch.log1p(dialysis), (dialysis == 0).to(age.dtype)
    return (
        (0.047 - 0.015 * diabetes) * over
        + (0.398 - 0.237 * diabetes) * transplanted
        + (0.315 - 0.099 * diabetes) * years
        + (0.130 - 0.348 * diabetes) * never
        + 1.262 * diabetes
    )


def kdri(
    age: Tensor,
    height: Tensor,
    weight: Tensor,
    hypertension: Tensor,
    diabetes: Tensor,
    stroke: Tensor,
    creatinine: Tensor,
    hepatitis_c: Tensor,
    circulatory_death: Tensor,
) -> Tensor:
    r"""Kidney Donor Risk Index of an organ, relative to a reference donor of 1; higher means a shorter life of the graft.

    .. math::
        \exp\big(.0128\,(a - 40) - .0194\,(a - 18)\,[a < 18] + .0107\,(a - 50)_+ - .0464\,(h - 170) / 10
        - .0199\,(w - 80) / 5\,[w < 80] + .126\,\mathrm{HTN} + .130\,\mathrm{DM} + .0881\,\mathrm{CVA}
        + .220\,(c - 1) - .209\,(c - 1.5)_+ + .240\,\mathrm{HCV} + .133\,\mathrm{DCD}\big)

    The version of 2013 has a term for race beside these, which newer policy has dropped; it is left out here.

    Args:
        age: a, in years.
        height, weight: h in centimeters, w in kilograms.
        hypertension, diabetes, stroke, hepatitis_c, circulatory_death: 1 where true; stroke is the cause of death (CVA).
        creatinine: c, in mg/dl.

    Source: Rao et al. (2009), donor factors alone.

    >>> from rankbook.experiments.tasks.kidneys import kdri
    >>> one, no = torch.tensor([1.0]), torch.tensor([0.0])
    >>> kdri(60 * one, 170 * one, 80 * one, one, no, no, one, no, no)  # exp(.0128 * 20 + .0107 * 10 + .126)
    tensor([1.6307])
    """
    return torch.exp(
        0.0128 * (age - 40)
        - 0.0194 * (age - 18).clamp(max=0)
        + 0.0107 * (age - 50).clamp(min=0)
        - 0.0464 * (height - 170) / 10
        - 0.0199 * ((weight - 80) / 5).clamp(max=0)
        + 0.126 * hypertension
        + 0.130 * diabetes
        + 0.0881 * stroke
        + 0.220 * (creatinine - 1)
        - 0.209 * (creatinine - 1.5).clamp(min=0)
        + 0.240 * hepatitis_c
        + 0.133 * circulatory_death
    )


def points(waiting: Tensor, sensitized: Tensor, shared: Tensor, patient_index: Tensor, organ_index: Tensor) -> Tensor:
    """KAS-like points ``[m, n]``: the ingredients of the US allocation score with simplified weights of ours, not the official values.

    Args:
        waiting: years on the list ``[n]``: a point each.
        sensitized: share of donors whom the patient's antibodies refuse ``[n]``: 8 points times its square.
        shared: HLA-DR antigens that organ and patient share ``[m, n]``: a point each.
        patient_index, organ_index: EPTS and KDPI as percentiles from 0 to 1, ``[n]`` and ``[m]``: 4 points where both are at most 0.2.
    """
    longevity = (organ_index <= 0.2)[:, None] & (patient_index <= 0.2)
    return waiting + 8 * sensitized.square() + shared + 4 * longevity


@lru_cache(maxsize=8)
def world(seed: int, misfit: float) -> World:
    r"""Organs, patients, outcomes.

    What is expected of a pair is its score and a misfit, :math:`s + m\,d`, each with deviation 1, brought to mean 0.5 and deviation 0.1.
    The misfit d is what the points leave out: an organ that is much older than its patient, or much smaller; hours on ice, worse after
    circulatory death; antigens that differ, worse for sensitized patients; and a hidden part, which no covariate tells: a number of
    each patient, and a product of two hidden numbers of organ and patient.

    Of each organ of the past, outcomes are known of few patients, drawn by the score; the noise of an outcome is half a deviation.

    Args:
        seed: of everything.
        misfit: m; 0: the score is right.
    """
    draw = torch.Generator().manual_seed(seed)
    count = sum(ORGANS.values())

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    def chance(p: float, size: int) -> Tensor:
        return (torch.rand(size, generator=draw) < p).float()

    # organs
    age = (42 + 16 * normal(count)).clamp(6, 78)
    grown = (age / 16).clamp(max=1)
    height, weight = (172 + 9 * normal(count)) * grown.sqrt(), (82 + 16 * normal(count)).clamp(min=45) * grown
    old = ((age - 30) / 60).clamp(0, 1)
    illnesses = [(torch.rand(count, generator=draw) < p * (0.3 + 2 * old)).float() for p in (0.3, 0.1, 0.3)]
    creatinine = torch.exp(0.35 * normal(count))
    others = [chance(0.03, count), chance(0.25, count)]
    risk = kdri(age, height, weight, *illnesses, creatinine, *others)
    home, antigens = torch.rand(count, 2, generator=draw), drawn_antigens(count, draw)
    # patients
    years = (52 + 14 * normal(PATIENTS)).clamp(18, 80)
    kilograms = (80 + 17 * normal(PATIENTS)).clamp(min=40)
    sick, again = chance(0.35, PATIENTS), chance(0.15, PATIENTS)
    dialysis = torch.where(chance(0.15, PATIENTS) > 0, 0.0, -3 * torch.rand(PATIENTS, generator=draw).log())
    waiting = dialysis + torch.rand(PATIENTS, generator=draw)
    sensitized = torch.where(chance(0.4, PATIENTS) > 0, torch.rand(PATIENTS, generator=draw), 0.0)
    survival = epts(years, dialysis, sick, again)
    address, types = torch.rand(PATIENTS, 2, generator=draw), drawn_antigens(PATIENTS, draw)
    shared = (antigens[:, None] * types).sum(2)
    score = unit(points(waiting, sensitized, shared, percentile(survival), percentile(risk)))
    # what the score leaves out
    hours = 4 + 20 * torch.cdist(home, address)
    harm = (
        unit((age[:, None] - years - 5).clamp(min=0))
        + unit((kilograms / weight[:, None] - 1.1).clamp(0, 2))
        + unit((hours - 12).clamp(min=0) * (1 + others[1][:, None]))
        + unit((2 - shared) * (0.3 + sensitized))
    )
    hidden = unit(normal(PATIENTS).expand(count, -1)) + unit(normal(count, 2) @ normal(PATIENTS, 2).T)
    truth = MEAN + DEVIATION * unit(score + misfit * unit(-unit(harm) + 0.7 * unit(hidden)))
    rows = dict(zip(ORGANS, torch.arange(count).split([*ORGANS.values()]), strict=True))
    past = rows["train"]
    gumbel = -torch.log(-torch.log(torch.rand(len(past), PATIENTS, generator=draw).clamp(1e-9, 1 - 1e-7)))
    seen = (BIAS * score[past] + gumbel).topk(SEEN, dim=1).indices
    outcome = truth[past].gather(1, seen) + DEVIATION * NOISE * normal(*seen.shape)
    return World(
        columns(age, weight, risk.log(), others[1], *home.T, *antigens.T),
        columns(years, kilograms, survival, sensitized, waiting, *address.T, *types.T),
        score,
        truth,
        seen,
        outcome,
        rows,
    )


def drawn_antigens(count: int, draw: torch.Generator) -> Tensor:
    """Two different ones of five HLA-DR antigens each, 0 or 1 ``[count, 5]``."""
    best = torch.rand(count, 5, generator=draw).topk(2, dim=1).indices
    return torch.zeros(count, 5).scatter(1, best, 1.0)


def percentile(x: Tensor) -> Tensor:
    """The share of values that are below, of a vector."""
    return x.argsort().argsort() / len(x)


def unit(x: Tensor) -> Tensor:
    """Mean 0 and deviation 1."""
    return (x - x.mean()) / x.std()


def columns(*values: Tensor) -> Tensor:
    """A matrix of columns, each with mean 0 and deviation 1."""
    return torch.stack([unit(one) for one in values], 1)
