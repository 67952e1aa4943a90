"""What every batch loss promises about dtypes, labels, devices, memory and state. Losses join in contract.py."""

import copy
import io
import warnings

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.contract import CASES, PROMISES, promise, same_class
from losses.scenes import CLASSES, DIM, batch, family, gradients, peak_bytes, unit

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))]
exact = {"rtol": 0, "atol": 1e-12}


@promise("names")
def test_only_equality_of_labels_matters(case):
    embeddings, labels = batch()
    names = torch.randperm(CLASSES)
    assert_close(case.make()(embeddings, names[labels]), case.make()(embeddings, labels), **exact)
    assert_close(case.make()(embeddings, -(10**12) * names[labels]), case.make()(embeddings, labels), **exact)


@promise("dtypes of labels")
def test_labels_of_any_whole_dtype(case):
    embeddings, labels = batch((3, 3))
    for dtype in (torch.bool, torch.uint8, torch.int32):
        assert_close(case.make()(embeddings, labels.to(dtype)), case.make()(embeddings, labels), **exact)


@promise("half")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(case, dtype):
    embeddings, labels = batch(dtype=torch.float32)
    embeddings = embeddings.to(dtype).requires_grad_()
    loss = case.make()(embeddings, labels)
    assert loss.dtype == torch.float32
    loss.backward()
    expected, grad = gradients(lambda x: case.make()(x, labels), embeddings.float())
    assert torch.equal(loss, expected)
    assert embeddings.grad.dtype == dtype
    assert_close(embeddings.grad, grad.to(dtype))


@promise("dtype")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_wide_dtypes_are_kept(case, dtype):
    embeddings, labels = batch()
    loss, grad = gradients(lambda x: case.make()(x, labels), embeddings.to(dtype))
    assert loss.dtype == grad.dtype == dtype
    assert_close(loss.double(), case.make()(embeddings, labels), rtol=1e-5, atol=1e-6)


@promise("pure")
def test_inputs_and_global_state_are_left_alone(case):
    (embeddings, labels), (ref_embeddings, ref_labels) = batch(), batch()
    given = (embeddings, labels, ref_embeddings, ref_labels)
    before = [x.clone() for x in given]
    module = case.make()
    state = torch.get_rng_state()
    leaves = embeddings.requires_grad_(), ref_embeddings.requires_grad_()
    module(leaves[0], labels, leaves[1], ref_labels).backward()
    module(leaves[0], labels).backward()
    for now, then in zip(given, before, strict=True):
        assert torch.equal(now, then)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


@promise("pure")
def test_the_same_call_gives_the_same_result(case):
    embeddings, labels = batch()
    module = case.make()
    first, second = (gradients(lambda x: module(x, labels), embeddings) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


@promise("strides")
def test_views_with_strides(case):
    embeddings, labels = batch()
    wide = torch.stack([labels, labels], dim=1)[:, 0]
    assert_close(case.make()(embeddings.T.contiguous().T, wide), case.make()(embeddings, labels), **exact)


@promise("finest level", of=[case for case in CASES if case.relevance is same_class])
def test_labels_of_several_levels_use_the_finest(case):
    embeddings, labels = batch()
    assert_close(case.make()(embeddings, family(labels)), case.make()(embeddings, labels), **exact)
    assert_close(case.make()(embeddings, labels[:, None]), case.make()(embeddings, labels), **exact)


@promise("constant")
@pytest.mark.parametrize("value", [0.0, 0.5, 100.0])
def test_constant_embeddings(case, value):
    embeddings, labels = torch.full((12, DIM), value), batch()[1]
    loss, grad = gradients(lambda x: case.make()(x, labels), embeddings)
    assert loss.isfinite()
    assert grad.isfinite().all()


@promise("scale")
@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_tiny_and_huge_embeddings(case, scale):
    embeddings, labels = batch(dtype=torch.float32)
    loss, grad = gradients(lambda x: case.make()(x, labels), scale * embeddings)
    assert loss.isfinite()
    assert grad.isfinite().all()


@promise("memory")
@pytest.mark.parametrize(("size", "images"), [(512, 4), (256, 64)])  # few positives a query, and many
def test_memory_stays_far_below_the_cube(case, size, images):
    embeddings, labels = unit(size, 32, dtype=torch.float32).requires_grad_(), torch.arange(size) // images
    module = case.make()
    used = peak_bytes(lambda: module(embeddings, labels).backward())
    assert size * 32 * 4 <= used < 24 * size**2 * 4  # the gradient itself; and 24 matrices of scores


@promise("memory of blocks")
def test_memory_is_that_of_blocks_not_of_all_scores(case):
    """2,048 items: all scores would take 16 MiB. A block of 512 queries takes 4 MiB, the places of its scores in bins 8 more; the
    comparisons of a block take 1 MiB at a time."""
    embeddings, labels = unit(2048, 8, dtype=torch.float32).requires_grad_(), torch.arange(2048) // 4
    module = case.make()
    assert 2**22 <= peak_bytes(lambda: module(embeddings, labels).backward()) < 4.5 * 2**22


def test_losses_apart_take_the_memory_of_blocks():
    embeddings, labels = unit(2048, 8, dtype=torch.float32).requires_grad_(), torch.arange(2048) // 4
    module = rb.SmoothAPLoss(reduction="none")
    assert 2**22 <= peak_bytes(lambda: module(embeddings, labels).sum().backward()) < 4.5 * 2**22


@promise("memory of blocks")
def test_comparisons_are_made_a_buffer_at_a_time(case):
    """One query, 100 positives, 20,000 items: all comparisons would take 8 MB."""
    embeddings, labels = unit(1, 8, dtype=torch.float32).requires_grad_(), torch.zeros(1, dtype=torch.long)
    gallery, ref_labels = unit(20_000, 8, dtype=torch.float32), torch.arange(20_000) // 100
    module = case.make()
    assert peak_bytes(lambda: module(embeddings, labels, gallery, ref_labels).backward()) < 5 * 2**20


def test_the_measure_of_memory_sees_a_cube():
    size, x = 64, torch.rand(64, requires_grad=True)
    used = peak_bytes(lambda: torch.sigmoid(x[:, None, None] - x[:, None] - x).sum().backward())
    assert used >= 2 * size**3 * 4


@promise("module")
def test_copies_and_saved_modules_agree(case):
    embeddings, labels = batch()
    module = case.make()
    expected = module(embeddings, labels)
    assert_close(copy.deepcopy(module)(embeddings, labels), expected, **exact)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    fresh = case.make()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert_close(fresh(embeddings, labels), expected, **exact)
    assert case.name.split()[0] in repr(module)


@promise("device")
@pytest.mark.parametrize("device", DEVICES)
def test_runs_where_its_input_is(case, device):
    embeddings, labels = batch(dtype=torch.float32)
    expected = gradients(lambda x: case.make()(x, labels), embeddings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gradients(lambda x: case.make().to(device)(x, labels.to(device)), embeddings.to(device))
        from_the_host = gradients(lambda x: case.make().to(device)(x, labels), embeddings.to(device))  # labels may stay there
    assert found[0].device.type == device
    assert torch.equal(from_the_host[0], found[0])
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours.cpu(), theirs, rtol=1e-4, atol=1e-5)


def test_exceptions_name_promises_and_reasons():
    for case in CASES:
        assert set(case.exceptions) <= PROMISES, case
        assert all(len(reason) > 10 for reason in case.exceptions.values()), case
    assert len({case.name for case in CASES}) == len(CASES)
