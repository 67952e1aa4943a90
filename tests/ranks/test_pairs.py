"""Blocks of pairs: each pair once, within the promised memory, and not in crumbs. Memory that grows with n only, for all who promise it."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rankbook.ranks.pairs import BLOCK, count, leads
from ranks.contract import RANKERS
from ranks.test_contract import with_gradient


@pytest.mark.parametrize(("lists", "n", "m"), [(1, 1, 1), (3, 7, 7), (50, 100, 100), (2, 900, 40), (1, 1000, 1000), (2, 300_000, 2)])
@pytest.mark.parametrize("size", [None, 1 << 12])
def test_blocks_hold_each_pair_once(lists, n, m, size):
    columns, rows = torch.randn(lists, n), torch.randn(lists, m)
    seen, blocks = torch.zeros(lists, m, dtype=torch.long), []
    for part, block, lead in leads(columns, rows, 2.0, size=size):
        expected = 2.0 * (columns[part].unsqueeze(-2) - rows[part, block].unsqueeze(-1))
        torch.testing.assert_close(lead, expected)
        seen[part, block] += 1
        blocks.append(lead.numel())
    assert (seen == 1).all()
    limit = max(size or BLOCK, n)  # one row at least
    assert max(blocks) <= limit
    # as large as the limit lets them be: whole lists while two fit, else rows of one list
    per_list = -(-m // max(1, limit // n)) if 2 * m * n > limit else 0
    assert len(blocks) == (lists * per_list if per_list else -(-lists // (limit // (m * n))))


def test_blocks_share_one_buffer():
    addresses = {lead.data_ptr() for _, _, lead in leads(torch.randn(40, 200), torch.randn(40, 200))}
    assert len(addresses) == 1


def test_count_sums_over_all_columns():
    columns, rows = torch.randn(3, 700), torch.randn(3, 500)
    expected = (columns.unsqueeze(-2) >= rows.unsqueeze(-1)).float().sum(-1)
    assert torch.equal(count(columns, rows, 3.0, lambda lead: (lead >= 0).float().sum(-1)), expected)


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation gives back."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        storages = [x.untyped_storage().nbytes() // x.element_size() for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        self.elements = max(self.elements, *storages, 0)
        return out


LINEAR = [ranker for ranker in RANKERS if not ranker.learned and not ranker.name.startswith(("sinkhorn", "network"))]


@pytest.mark.parametrize("ranker", LINEAR, ids=str)
@pytest.mark.parametrize("shape", [(2, 1200), (1500, 40)])
def test_memory_grows_with_the_number_of_scores_only(ranker, shape):
    """All pairs would be 2.9 and 2.4 million; perturbed ranks hold their 8 samples."""
    scores, relevance = torch.randn(shape), torch.randint(3, shape)
    with Largest() as seen:
        with_gradient(ranker.soft, scores, relevance)
    assert seen.elements <= max(1 << 19, 8 * scores.numel())  # 2 MiB of float32
