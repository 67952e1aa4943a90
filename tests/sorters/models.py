"""Small sorters with first weights, one of each architecture. A new architecture joins here."""

import torch

import rankbook as rb

SMALL = {
    rb.KernelSorter: {"hidden": 8},
    rb.KnotSorter: {"knots": 20},
    rb.SetTransformerSorter: {"hidden": 16, "layers": 1, "inducing": 4},
    rb.BiGRUSorter: {"hidden": 8},
    rb.BiLSTMSorter: {"n": 12, "hidden": 8},
    rb.ConvSorter: {"n": 40},
    rb.MLPSorter: {"n": 12, "hidden": 32},
}


def small(architecture: type[rb.Sorter], **more) -> rb.Sorter:
    """Always the same one. Its weights are moved a little: some are zero at first, and what they multiply would go untested."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sorter = architecture(**SMALL[architecture], **more)
        with torch.no_grad():
            for weights in sorter.parameters():
                weights += 0.02 * torch.randn_like(weights)
    return sorter.eval()
