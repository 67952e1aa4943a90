"""The rank from SoftSort's relaxed permutation matrix, of which nothing but sums over rows and columns is there."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from rankbook.checks import check_positive, check_scores
from rankbook.ranks.by_hand import ByHand
from rankbook.ranks.exact import put_absent_last
from rankbook.ranks.kernels import DecayedSums
from rankbook.ranks.spacing import mixing_cap, place_on_line, to_items


def softsort_ranks(scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None, tau: float = 0.1) -> Tensor:
    r"""The mean place of each item in SoftSort's relaxed permutation matrix.

    .. math::
        \hat P_{p,:} = \mathrm{softmax}\!\left[-\frac{|s_{[p]} - s|}{\tau}\right], \qquad
        r_i = \frac{\sum_p p\, \hat P_{pi}}{\sum_p \hat P_{pi}}

    where :math:`s_{[p]}` is the p-th highest score. Dividing by the sum of the column keeps the ranks in [1, n].

    Args:
        scores: ``[..., n]``.
        relevance: not used.
        where: ``[..., n]`` mask of the items that are in the list; exact: absent items change nothing.
        tau: temperature in units of the scores. Smaller is closer to the exact ranks. It counts as in `laplace_ranks`: an item
            feels those within some ``10 * tau``; scale it with the spread of the scores, down with n for the same fidelity.

    Returns:
        Ranks ``[..., n]`` in [1, n], differentiable once; as ``tau`` goes to 0 they become ``exact_ranks(ties="average")``.

    Cost: :math:`O(n \log n)` time, :math:`O(n)` memory: no matrix is built, since sums of :math:`e^{-|s_j - s_i| / \tau}` follow
    from those of the neighbor, as in `laplace_ranks`.

    Raises:
        ValueError: NaN or inf in the scores, ``tau`` not above 0.

    Source: SoftSort (ICML 2020), equation 4 with d = the absolute difference; the division is ours.

    >>> rb.softsort_ranks(torch.tensor([0.2, 0.9, 0.5]), tau=0.2)
    tensor([2.7813, 1.1506, 2.0601])
    """
    tau = check_positive("tau", tau)
    scores, where = check_scores(scores, where)
    return put_absent_last(_softsort(scores, where, knobs=(tau,)), where)


def _softsort_value(scores: Tensor, where: Tensor | None, _: None, tau: float) -> tuple[Tensor, ...]:
    """Row p is K_pj / Z_p with K = e^-|u_p - u_j|: the sums over rows and over columns run along the sorted list."""
    order, line = place_on_line(scores, where, tau, mixing_cap(scores.dtype))
    place = torch.arange(1, line.shape[-1] + 1, dtype=line.dtype, device=line.device)
    sums = _KernelSums(line)
    total, side = sums(torch.ones_like(line))
    share = total.reciprocal()
    both, side_both = sums(torch.stack([share, place * share], -2))
    mass, placed = both.unbind(-2)
    ranks = placed / mass
    return to_items(ranks, order, scores.dtype), order, line, ranks, mass, share, side, side_both


def _softsort_gradient(grad: Tensor, scores: Tensor, where: Tensor | None, _: None, saved: tuple[Tensor, ...], tau: float) -> Tensor:
    r"""With :math:`M_{pj} = \text{share}_p\, \text{pull}_j (p - r_j) - \text{share}_p^2 h_p`, where h is the sum of K pull (p - r) over the
    row, item i is pulled by :math:`\sum_j (M_{ij} + M_{ji}) K_{ij}\, \mathrm{sgn}(i - j)`; each term is a product of one factor of i
    and one of j."""
    order, line, ranks, mass, share, side, side_both = saved
    side_share, side_placed = side_both.unbind(-2)
    place = torch.arange(1, line.shape[-1] + 1, dtype=line.dtype, device=line.device)
    pull = grad.gather(-1, order) / mass
    sums = _KernelSums(line)
    (of_pull, of_ranked), (side_pull, side_ranked) = (both.unbind(-2) for both in sums(torch.stack([pull, pull * ranks], -2)))
    of_row = share.square() * (place * of_pull - of_ranked)
    back = of_row * side + sums(of_row)[1]
    back -= share * (place * side_pull - side_ranked) + pull * (side_placed - ranks * side_share)
    back = to_items(back / tau, order, scores.dtype)
    return back if where is None else back.masked_fill_(~where, 0.0)


class _KernelSums:
    r"""The sums of :math:`w_j e^{-|u_j - u_i|}` over all j, and of the same with the sign of :math:`u_j - u_i`: 0 for ties."""

    def __init__(self, line: Tensor):
        self.sums, self.ties = DecayedSums(-line, 1.0), None
        apart = line[..., 1:] > line[..., :-1]
        if line.device.type != "cpu" or not apart.numpy().all():
            n, index = line.shape[-1], torch.arange(line.shape[-1], device=line.device)
            starts = pad(apart, (1, 1), value=True)
            first = torch.where(starts[..., :n], index, 0).cummax(-1).values
            self.ties = first, torch.where(starts[..., 1:], index, n - 1).flip(-1).cummin(-1).values.flip(-1)

    def __call__(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        above, below = self.sums(weight)
        total = weight + above + below
        if self.ties is not None:  # the sums over what is truly above (below) are those of the first (last) of the ties
            first, last = (end if weight.dim() == end.dim() else end.unsqueeze(-2).expand(weight.shape) for end in self.ties)
            above, below = above.gather(-1, first), below.gather(-1, last)
        return total, below - above


_softsort = ByHand("softsort", _softsort_value, _softsort_gradient)
