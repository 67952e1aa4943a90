"""States that each figure must get right: the start of each, ties, ends of the knobs, and lists of other lengths.

A new figure joins the tests when its class stands in ``rankbook.live.__all__``; here it needs its own scenes.
"""

import base64
import math
import struct

import rankbook as rb
from rankbook.live import (
    BatchPositives,
    BatchRivals,
    BentScale,
    CrossEntropyPairs,
    EmojiSearch,
    EqualAP,
    EyeAttention,
    FeltNeighbors,
    Forces,
    GapSizes,
    HierarchyStrip,
    LabelCosts,
    LabelPushes,
    LearnedSorters,
    LevelVerdicts,
    MatchingGap,
    MetricBoard,
    MetricGradient,
    MilderMistakes,
    Neighbors,
    PolygonFit,
    PosePairs,
    RankerGallery,
    RankMargin,
    RankStrip,
    RoadScene,
    ScoreAgainstOrder,
    ScoreShares,
    ScoreSweep,
    SoftRecall,
    SorterSweep,
    SplitBatches,
    Staircase,
    SupRankStep,
    TauGradient,
    TiedCodes,
    TieOrders,
    TopWeights,
    TwoMasters,
    UpperBound,
)

TIED = [0.5, 0.5, 0.2]

SCENES = {
    BentScale: [{}, {"bend": 8.0, "known": 1}, {"bend": 0.1, "known": 9}, {"bend": 6.0}],
    BatchPositives: [
        {},
        {"positives": 1, "size": 2},
        {"pictures": 2048, "positives": 1024, "size": 1024},
        {"pictures": 100000, "positives": 7, "size": 1024},
    ],
    BatchRivals: [
        {},
        {"query": 1, "size": 400, "k": 1},
        {"size": 2, "k": 16, "draw": 77},
        {"size": 60, "k": 4, "draw": 9999, "gallery": 100000},
        {"size": 100000, "gallery": 16},
    ],
    CrossEntropyPairs: [
        {},
        {"steps": 1},
        {"steps": 40, "decay": 0.2},
        {"angles": [0, 90, 180, 270, 45, 135, 225, 315], "steps": 40, "decay": 2.0},  # nothing moves
        {"angles": [10, 200, 359], "labels": [1, 1, 1], "steps": 7},
    ],
    EmojiSearch: [
        {},
        {"query": "Red, red HEART!", "weight": 1.0},
        {"query": "an unknown thing"},
        {"query": "tears", "weight": 0.0},
        {"query": "", "weight": 0.25},
    ],
    EqualAP: [
        {},
        {"scores": TIED, "levels": [2, 1, 0], "alpha": 4.0},
        {"levels": [1, 0] * 4},
        {"levels": [0] * 8},
        {"levels": [2, 2, 2, 1, 1, 1, 0, 0], "alpha": 0.25},
        {"scores": [0.5], "levels": [2]},
    ],
    EyeAttention: [
        {},
        {"look": "dark", "span": 1.0},
        {"span": 20.0},
        {
            "look": "dark",
            "span": 13.5,
            "picture": base64.b64encode(bytes(range(256)) * 27).decode(),
            "stem": base64.b64encode(struct.pack("<480f", *map(math.sin, range(480)))).decode(),
        },
    ],
    FeltNeighbors: [{}, {"x": 0.22}, {"scores": [0.5] * 3 + [0.1] * 6, "x": 0.5, "error": 1.0}, {"x": 1.0, "error": 0.05}],
    Forces: [
        {},
        {"loss": "SupAP", "angles": [0, 20, 340, 90, 90, 90, 270, 0], "tau": 0.01},  # ties of positives, and with negatives
        {"loss": "Smooth-AP", "angles": [0, 20, 340, 90, 90, 90, 270, 0], "tau": 0.3, "query": 7},
        {"loss": "calibration", "angles": [0, 21, 42, 63, 180, 201, 222, 243]},
        {"loss": "ROADMAP", "query": 4, "angles": [10, 25, 140, 165, 75, 90, 230, 250], "tau": 0.03},
        {"loss": "SupCon", "tau": 0.01, "angles": [0, 180, 180, 0, 0, 90, 180, 270]},
        {"loss": "triplet", "angles": [0, 20, 340, 90, 90, 90, 270, 0], "query": 5},
        {"loss": "SupCon", "angles": [0, 10, 200], "labels": [1, 1, 0], "query": 1},
        {"loss": "triplet", "angles": [0, 180], "labels": [1, 1], "query": 0},
    ],
    GapSizes: [
        {},
        {"classes": 64, "items": 16, "shift": 9.0, "bad_positives": 1.0, "bad_negatives": 1.0},
        {"classes": 2, "items": 2, "shift": 0.0, "bad_positives": 0.1, "bad_negatives": 0.01},
        {"classes": 64, "items": 7, "shift": 3.3, "bad_positives": 0.0, "bad_negatives": 0.002},
    ],
    HierarchyStrip: [
        {},
        {"scores": TIED, "levels": [2, 1, 0], "alpha": 4.0},
        {"levels": [0] * 8},
        {"scores": [0.5] * 26, "levels": [1] * 26},
    ],
    LabelCosts: [
        {},
        {"scores": TIED, "relevance": [1, 0, 1], "shift": 4.0},
        {"relevance": [0] * 8, "shift": -4.0},
        {"scores": [1.0, 0.0], "relevance": [0, 1]},
        {"scores": [0.5], "relevance": [1], "shift": 1.3},
    ],
    LabelPushes: [
        {},
        {"scores": [0.0] * 8, "weighting": "u3"},  # all tie: every pair is wrong
        {"scores": [-4.0, 4.0, 1.0], "relevance": [1, 0, 1], "weighting": "u2"},
        {"relevance": [1] * 8, "weighting": "u4"},
        {"scores": [4.0], "relevance": [0]},
        {"relevance": [1, 1, 1, 0, 1, 1, 1, 1], "weighting": "u4"},
    ],
    LearnedSorters: [
        {},
        {"sorters": {"z": rb.KnotSorter(knots=9), "a": rb.KernelSorter()}, "scores": TIED, "relevance": [1, 0, 1], "shuffles": 10**6},
    ],
    LevelVerdicts: [
        {},
        {"scores": TIED, "levels": [2, 1, 0], "weight": 0.0},
        {"levels": [0] * 8, "weight": 1.0},
        {"levels": [1, 0] * 4, "weight": 0.3},
        {"scores": [0.5] * 26, "levels": [2, 1] * 13},
    ],
    MatchingGap: [
        {},
        {"epsilon": 0.4},
        {"third": [20, 90, 55, 125, 160]},  # two items have changed places
        {"first": [0, 45, 90, 135, 180], "second": [180, 135, 90, 45, 0], "third": [90] * 5},
    ],
    MetricBoard: [
        {},
        {"scores": TIED, "relevance": [1, 0, 1], "k": 1, "models": [["tied", TIED], ["b", [0.1, 0.2, 0.3]]]},
        {"relevance": [0] * 8},
        {"scores": [0.5], "relevance": [1], "k": 1, "models": [["one", [0.2]]]},
    ],
    MetricGradient: [{}, {"scores": TIED, "relevance": [1, 0, 1], "metric": "RR", "tau": 1.0}, {"metric": "R@3", "tau": 0.003}],
    MilderMistakes: [
        {},
        {"step": 2},
        {
            "curve": [0.0, 0.5, 0.5, 0.0, 1.0, 0.5, 0.5, 1.0],
            "catalog": "a one\nb two",
            "queries": [1],
            "wrong": [0] * 12,
            "shared": [0, 1, 2] * 4,
            "step": 1,
        },
    ],
    Neighbors: [
        {},
        {"query": 13, "first": 2, "second": 1},
        {
            "names": ["a one", "b two", "c one"],
            "classes": [0, 1, 0],
            "queries": [0, 2],
            "models": {"x": ([[2, 1], [0, 1]], [1, 1])},
            "second": 0,
        },
    ],
    PolygonFit: [
        {},
        {"unary": 0.0, "local": 2.0},
        {"radii": [3.1, 9.7, 14.2, 5.3, 16.0, 0.5, 8.8, 11.9], "region": 0.0},
        {"radii": [0.5] * 24, "box": [20.0, 1.0, 31.5, 9.25]},  # collapsed, beside its box
        {"picture": base64.b64encode(bytes(range(256)) * 16).decode(), "radii": [9.3, 4.1, 12.7] * 5},
        {"picture": base64.b64encode(bytes(4096)).decode()},  # black, and without a mask
    ],
    RankMargin: [
        {},
        {"scores": [0.84, 0.78, 0.99, 0.66, 0.52, 0.47, 0.33, 0.2], "tau": 0.003, "loss": "place"},
        {"scores": TIED, "relevance": [0, 0, 1], "loss": "score"},
        {"scores": TIED, "relevance": [1, 0, 1], "loss": "places", "tau": 0.3},
        {"relevance": [0] * 8},
        {"scores": [0.5, 0.5], "relevance": [0, 1], "loss": "place"},
    ],
    RankStrip: [{}, {"scores": TIED, "relevance": [1, 0, 1], "k": 1}, {"scores": [0.5], "relevance": [0], "k": 1}],
    PosePairs: [
        {},
        {"weight": 1.0, "pose": 5, "blend": 0.4},
        {"weight": 1000.0, "size": 0.05, "pose": 11, "blend": 1.0},
        {"weight": 0.01},
        {"weight": 0.1, "size": 0.5},
        {"task": "pairs"},  # all features are equal
    ],
    RankerGallery: [{}, {"scores": [0.0, 1.0], "item": 0, "knob": 3.0}, {"ranker": "neuralsort", "knob": 0.003}],
    RoadScene: [
        {},
        {"here": [0, 1, 1, 1, 1, 1, 1]},
        {"here": [0, 0, 1, 1, 1, 1, 1], "speed": 8.0},
        {"here": [0] * 7, "speed": 6.0},
        {"x": [10.0] * 7, "y": [0.5] * 7, "speed": 14.0},  # no plan is free
    ],
    ScoreAgainstOrder: [
        {},
        {"scores": TIED, "target": [0.5, 0.2, 0.2]},
        {"scores": [0.5] * 10, "target": [0.5] * 10},
        {"scores": [1.0, 0.0], "target": [0.0, 1.0]},
    ],
    ScoreShares: [
        {},
        {"mode": "copies", "processes": 16, "rows": 1000},
        {"mode": "queries", "processes": 3, "rows": 2},
        {"mode": "passes", "processes": 1},
        {"mode": "memory", "processes": 5, "rows": 64},
    ],
    ScoreSweep: [
        {},
        {"scores": TIED, "relevance": [1, 0, 1], "item": 2},
        {"item": 1},
        {"relevance": [0] * 8},
        {"scores": [1.0, 0.0], "relevance": [1, 0], "item": 0},
    ],
    SoftRecall: [
        {},
        {"tau_rank": 0.05, "k": 4},
        {"scores": TIED, "relevance": [1, 0, 1], "k": 1, "tau_score": 0.3, "tau_rank": 2.0},
        {"relevance": [0] * 8},
        {"scores": [0.5] * 8, "relevance": [1] * 8, "k": 8, "tau_score": 0.003},
    ],
    SorterSweep: [
        {},
        {"sorter": "knots"},
        {"sorters": {"z": rb.KnotSorter(knots=9), "a": rb.KernelSorter()}, "scores": TIED, "item": 1},
        {"sorter": "gru", "scores": [0.0, 1.0], "item": 0},
    ],
    SplitBatches: [
        {},
        {"relevance": [1, 1, 1, 0, 1, 1, 1, 0], "batch": [0, 0, 0, 1, 1, 1, 1, 0]},
        {"scores": TIED, "relevance": [1, 0, 1], "batch": [0, 0, 0], "item": 2},
        {"relevance": [0] * 8},
        {"scores": [0.5, 0.5], "relevance": [1, 0], "batch": [0, 1], "item": 0},
    ],
    Staircase: [{}, {"x": 0.25}, {"scores": [0.5] * 20, "x": 0.0, "tau": 0.001}, {"tau": 1.0}],
    SupRankStep: [{}, {"gap": -0.2, "tau": 0.1}, {"gap": 0.5, "rho": 300.0, "delta": 0.01}, {"gap": 0.0}],
    TauGradient: [{}, {"gap": -1.0, "tau": 0.001}, {"gap": 0.5, "tau": 0.001}, {"gap": 0.0, "tau": 1.0}],
    TiedCodes: [
        {},
        {"bits": 1},
        {"bits": 48},
        {"codes": [0, 0, 0], "relevance": [0, 1, 0], "bits": 12},  # all alike
        {"codes": [2**48 - 1, 5], "relevance": [0, 0]},
    ],
    TieOrders: [
        {},
        {"step": 1.0, "k": 1},
        {"scores": TIED, "relevance": [1, 0, 1], "k": 3, "step": 0.0},
        {"relevance": [0] * 8},
        {"scores": [0.5] * 10, "relevance": [1, 0] * 5, "step": 0.01},
    ],
    TopWeights: [{}, {"n": 1, "misfit": 0.0}, {"n": 7, "misfit": 3.0}, {"n": 1, "misfit": 3.0}, {"n": 4, "misfit": 0.7}],
    TwoMasters: [
        {},
        {"weight": 0.0, "map": "on"},
        {"weight": 0.2, "map": "on"},  # before the order turns, after it below
        {"weight": 1.0, "map": "on"},
        {"weight": 3.0},
        {"feature": [0.5] * 4 + [0.2, 0.4, 0.4, 0.9], "clicks": [0, 1] * 4, "weight": 0.5, "map": "on"},  # ties
    ],
    UpperBound: [
        {},
        {"scores": TIED, "relevance": [1, 0, 1], "item": 2, "tau": 0.1},
        {"scores": [0.02, 0.9], "relevance": [1, 0], "item": 0, "tau": 0.003, "rho": 300.0},
        {"relevance": [0] * 8},
    ],
}
CASES = [(figure, scene) for figure, scenes in SCENES.items() for scene in scenes]
