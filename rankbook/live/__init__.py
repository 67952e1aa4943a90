"""Live figures: widgets in a notebook, and the same figures in the static page, offline, without a kernel.

>>> from rankbook.live import Staircase
>>> figure = Staircase(x=0.5, tau=0.05)
>>> figure.readout()["exact_rank"]
4.0

In JupyterLab, Colab and VS Code the traits follow both ways: what the reader drags reaches Python, and what Python sets moves
the figure. Each trait has bounds and refuses what lies outside.
"""

from rankbook.live.batch_positives import BatchPositives
from rankbook.live.batch_rivals import BatchRivals
from rankbook.live.bent_scale import BentScale
from rankbook.live.cross_entropy_pairs import CrossEntropyPairs
from rankbook.live.emoji_search import EmojiSearch
from rankbook.live.equal_ap import EqualAP
from rankbook.live.eye_attention import EyeAttention
from rankbook.live.felt_neighbors import FeltNeighbors
from rankbook.live.figure import LiveFigure
from rankbook.live.forces import Forces
from rankbook.live.gap_sizes import GapSizes
from rankbook.live.hierarchy_strip import HierarchyStrip
from rankbook.live.label_costs import LabelCosts
from rankbook.live.label_pushes import LabelPushes
from rankbook.live.learned_sorters import LearnedSorters
from rankbook.live.level_verdicts import LevelVerdicts
from rankbook.live.matching_gap import MatchingGap
from rankbook.live.metric_board import MetricBoard
from rankbook.live.metric_gradient import MetricGradient
from rankbook.live.milder_mistakes import MilderMistakes
from rankbook.live.neighbors import Neighbors
from rankbook.live.polygon_fit import PolygonFit
from rankbook.live.pose_pairs import PosePairs
from rankbook.live.predict import Predict
from rankbook.live.rank_margin import RankMargin
from rankbook.live.rank_strip import RankStrip
from rankbook.live.ranker_gallery import RankerGallery
from rankbook.live.road_scene import RoadScene
from rankbook.live.score_against_order import ScoreAgainstOrder
from rankbook.live.score_shares import ScoreShares
from rankbook.live.score_sweep import ScoreSweep
from rankbook.live.soft_recall import SoftRecall
from rankbook.live.sorter_sweep import SorterSweep
from rankbook.live.split_batches import SplitBatches
from rankbook.live.staircase import Staircase
from rankbook.live.sup_rank_step import SupRankStep
from rankbook.live.tau_gradient import TauGradient
from rankbook.live.tie_orders import TieOrders
from rankbook.live.tied_codes import TiedCodes
from rankbook.live.top_weights import TopWeights
from rankbook.live.two_masters import TwoMasters
from rankbook.live.upper_bound import UpperBound
from rankbook.live.which_loss import WhichLoss

__all__ = [
    "BatchPositives",
    "BatchRivals",
    "BentScale",
    "CrossEntropyPairs",
    "EmojiSearch",
    "EqualAP",
    "EyeAttention",
    "FeltNeighbors",
    "Forces",
    "GapSizes",
    "HierarchyStrip",
    "LabelCosts",
    "LabelPushes",
    "LearnedSorters",
    "LevelVerdicts",
    "LiveFigure",
    "MatchingGap",
    "MetricBoard",
    "MetricGradient",
    "MilderMistakes",
    "Neighbors",
    "PolygonFit",
    "PosePairs",
    "Predict",
    "RankMargin",
    "RankStrip",
    "RankerGallery",
    "RoadScene",
    "ScoreAgainstOrder",
    "ScoreShares",
    "ScoreSweep",
    "SoftRecall",
    "SorterSweep",
    "SplitBatches",
    "Staircase",
    "SupRankStep",
    "TauGradient",
    "TieOrders",
    "TiedCodes",
    "TopWeights",
    "TwoMasters",
    "UpperBound",
    "WhichLoss",
]
