"""What the studies of road agents compare: what a ranker looks at, and the loss that teaches it."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from rankbook.experiments.parts import Contender
from rankbook.losses import LambdaLoss, RankNetLoss
from rankbook.metrics import ndcg


class AgentLoss(nn.Module):
    """A loss on the scores of a scene, what its ranker looks at, "numbers", "picture" or "both", and whether trees or a network do."""

    def __init__(self, inputs: str, loss: nn.Module, trees: bool = False):
        super().__init__()
        self.inputs, self.loss, self.trees = inputs, loss, trees

    def forward(self, scores: Tensor, relevance: Tensor, where: Tensor) -> Tensor:
        return self.loss(scores, relevance, where=where)


class Pointwise(nn.Module):
    """Each agent by itself: the squared error of its label."""

    def forward(self, scores: Tensor, relevance: Tensor, *, where: Tensor) -> Tensor:
        return mse_loss(scores[where], relevance[where].to(scores.dtype))


def _made(inputs: str, loss: type[nn.Module], trees: bool) -> AgentLoss:
    return AgentLoss(inputs, LambdaLoss(ndcg, k=5) if loss is LambdaLoss else loss(), trees)


def contender(inputs: str, loss: type[nn.Module], *, trees: bool = False) -> Contender:
    return Contender(partial(_made, inputs, loss, trees))


TREES_POINTS = contender("numbers", Pointwise, trees=True)
TREES_PAIRS = contender("numbers", RankNetLoss, trees=True)
TREES_BOTH_PAIRS = contender("both", RankNetLoss, trees=True)
POINTS = contender("numbers", Pointwise)
PAIRS = contender("numbers", RankNetLoss)
LAMBDAS = contender("numbers", LambdaLoss)
PICTURE_PAIRS = contender("picture", RankNetLoss)
BOTH_PAIRS = contender("both", RankNetLoss)
