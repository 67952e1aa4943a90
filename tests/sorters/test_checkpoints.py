"""Weights on disk: what is written comes back, what is damaged is refused, and what is shipped is what its card says."""

import hashlib
import json
import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import rankbook as rb
from rankbook.experiments.sorters.recipes import TEST_LISTS, TEST_SEED, N
from rankbook.sorters import card, checkpoints
from rankbook.sorters.card import seal
from rankbook.sorters.checkpoints import shipped_names
from rankbook.sorters.synthetic import KINDS, synthetic_kinds
from sorters.models import SMALL, small

DATA = Path(__file__).parents[2] / "data"
SHIPPED = DATA / "sorters"
every_sorter = pytest.mark.parametrize("architecture", SMALL, ids=lambda kind: kind.__name__)
every_shipped = pytest.mark.parametrize("name", shipped_names())


@pytest.fixture
def saved(tmp_path):
    """A folder with a sorter, and the sorter."""
    sorter = small(rb.KnotSorter)
    rb.save_sorter(sorter, tmp_path / "knots", SMALL[rb.KnotSorter], n="any")
    return tmp_path / "knots", sorter


# --- writing and reading ---


@every_sorter
def test_what_is_written_comes_back(architecture, tmp_path):
    sorter = small(architecture)
    for buffer in sorter.buffers():
        buffer.add_(1)  # statistics too
    card = rb.save_sorter(sorter, tmp_path / "new" / "folder", SMALL[architecture], seed=7)
    before = torch.get_rng_state()
    loaded = rb.load_sorter(tmp_path / "new" / "folder")
    assert torch.equal(torch.get_rng_state(), before)
    assert type(loaded) is architecture
    assert not loaded.training
    assert not any(weights.requires_grad for weights in loaded.parameters())
    assert sorter.state_dict().keys() == loaded.state_dict().keys()
    for ours, theirs in zip(loaded.state_dict().values(), sorter.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs) and ours.dtype == theirs.dtype
    assert card == rb.sorter_card(tmp_path / "new" / "folder")
    assert card["architecture"] == architecture.__name__
    assert card["arguments"] == SMALL[architecture]
    assert card["weights"] == sum(weights.numel() for weights in sorter.parameters())
    assert card["seed"] == 7


def test_weights_are_rounded_in_place_to_half_precision(saved):
    folder, sorter = saved
    assert (folder / "weights.safetensors").stat().st_size < 1000
    for weights, first in zip(sorter.parameters(), small(rb.KnotSorter).parameters(), strict=True):
        assert weights.dtype == torch.float32
        assert torch.equal(weights, first.half().float())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device(saved):
    assert next(rb.load_sorter(saved[0], device="cuda").parameters()).is_cuda


def test_what_cannot_be_loaded_again_is_not_written(tmp_path):
    class Mine(rb.KnotSorter):
        pass

    with pytest.raises(TypeError, match=r"sorter must be one of BiGRUSorter, .*, got Mine"):
        rb.save_sorter(Mine(), tmp_path / "a", {})
    sorter = rb.KnotSorter()
    with torch.no_grad():
        sorter.weight[3] = 1e6
    with pytest.raises(ValueError, match="finite in half precision, but weight is not"):
        rb.save_sorter(sorter, tmp_path / "a", {})
    assert not (tmp_path / "a").exists()


def test_a_kill_leaves_the_old_files_or_a_refusal_that_can_be_repaired(saved, monkeypatch):
    folder, sorter = saved
    old = {path.name: path.read_bytes() for path in folder.iterdir()}
    with torch.no_grad():
        sorter.place += 1
    replace, replaced = os.replace, []

    def killed(at):
        def rename(source, target):
            if len(replaced) == at:
                raise KeyboardInterrupt
            replaced.append(target)
            replace(source, target)

        return rename

    monkeypatch.setattr(os, "replace", killed(0))
    with pytest.raises(KeyboardInterrupt):
        rb.save_sorter(sorter, folder, SMALL[rb.KnotSorter])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == old
    rb.load_sorter(folder)

    monkeypatch.setattr(os, "replace", killed(1))
    with pytest.raises(KeyboardInterrupt):
        rb.save_sorter(sorter, folder, SMALL[rb.KnotSorter])
    assert [path.name for path in replaced] == ["weights.safetensors"]
    with pytest.raises(ValueError, match=r"are damaged, or a save was interrupted: .* save the sorter anew"):
        rb.load_sorter(folder)

    monkeypatch.setattr(os, "replace", replace)
    rb.save_sorter(sorter, folder, SMALL[rb.KnotSorter])
    assert torch.equal(rb.load_sorter(folder).place, sorter.place)


def flips(content, count):
    """The content with one bit flipped, at random places, the first and the last among them."""
    places = random.Random(0)
    for place in [0, len(content) - 1, *(places.randrange(len(content)) for _ in range(count))]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << places.randrange(8)
        yield bytes(damaged)


def test_any_flipped_bit_of_the_weights_is_noticed(saved):
    file = saved[0] / "weights.safetensors"
    content = file.read_bytes()
    expected = hashlib.sha256(content).hexdigest()
    for damaged in flips(content, 100):
        file.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=f"the weights of .*knots are damaged, .*: expected sha256 {expected}, found .*; save the sorter anew"
        ):
            rb.load_sorter(saved[0])


def test_any_flipped_bit_of_the_card_is_noticed(saved):
    """Spaces and the case of an exponent too, which JSON reads as the same."""
    rb.save_sorter(saved[1], saved[0], SMALL[rb.KnotSorter], error=2.5e-05, note="µ")
    file = saved[0] / "card.json"
    content = file.read_bytes()
    exponent = content.replace(b"2.5e-05", b"2.5E-05")
    assert exponent != content
    for damaged in (*flips(content, 2 * len(content)), exponent, content.replace(b" ", b"  ", 1), content[:-1], content + b"\n"):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"the card of .*knots is damaged.* save the sorter anew"):
            rb.load_sorter(saved[0])
    file.write_bytes(content)
    rb.load_sorter(saved[0])


@pytest.mark.parametrize(
    "content",
    [b"", b'{"architecture": "Kn', b"\xff\xfe", b"7", b"[]", b"{}", b"[" * 100_000, b'{"architecture": "KnotSorter", "arguments": {}}'],
    ids=lambda content: repr(content[:10]),
)
def test_damaged_card_is_refused(saved, content):
    (saved[0] / "card.json").write_bytes(content)
    for read in (rb.sorter_card, rb.load_sorter):
        with pytest.raises(ValueError, match=r"the card of .*knots is damaged"):
            read(saved[0])


def forge(folder, **change):
    """A card with other entries and a checksum that fits."""
    card = json.loads((folder / "card.json").read_text()) | change
    del card["card_sha256"]
    (folder / "card.json").write_bytes(seal(card))


FORGED = [
    {"architecture": "Sorter"},
    {"architecture": ["KnotSorter"]},
    {"architecture": "MLPSorter"},
    {"arguments": {"knots": 21}},
    {"arguments": {"knots": 0}},
    {"arguments": {"knots": "20"}},
    {"arguments": {"nuts": 20}},
    {"arguments": [20]},
    {"arguments": None},
]


@pytest.mark.parametrize("change", FORGED, ids=str)
def test_card_of_another_sorter_is_refused(saved, change):
    forge(saved[0], **change)
    with pytest.raises(ValueError, match=r"the card of .*knots does not belong to its weights: "):
        rb.load_sorter(saved[0])


def test_weights_of_another_form_are_refused(saved):
    for weights in (b"", b"7", b"\xff" * 40, (2).to_bytes(8, "little") + b"[]", (12).to_bytes(8, "little") + b'{"place": 7}'):
        (saved[0] / "weights.safetensors").write_bytes(weights)
        forge(saved[0], sha256=hashlib.sha256(weights).hexdigest())
        with pytest.raises(ValueError, match="does not belong to its weights: the weights are no safetensors file"):
            rb.load_sorter(saved[0])


HUGE = [
    ("KnotSorter", {"knots": 10**11}),
    ("KernelSorter", {"hidden": 10**6}),
    ("MLPSorter", {"n": 20, "hidden": 10**6}),
    ("BiLSTMSorter", {"n": 10**7, "hidden": 10**4}),
    ("BiGRUSorter", {"hidden": 8, "layers": 10**9}),
    ("SetTransformerSorter", {"hidden": 8, "layers": 10**9}),
    ("ConvSorter", {"n": 10**30}),
    ("MLPSorter", {"n": 79, "hidden": 79}),  # not too many for the count of the weights: the shapes decide
]


@pytest.mark.parametrize(("architecture", "arguments"), HUGE, ids=str)
def test_sizes_that_would_take_gigabytes_are_refused_before_they_do(saved, architecture, arguments, monkeypatch):
    forge(saved[0], architecture=architecture, arguments=arguments)
    monkeypatch.setattr(card.safetensors.torch, "load", None)  # the weights are not even read
    start = time.process_time()
    with pytest.raises(ValueError, match="does not belong to its weights: "):
        rb.load_sorter(saved[0])
    assert time.process_time() - start < 2


WRONG = [
    (rb.SetTransformerSorter, {"heads": 2}),
    (rb.SetTransformerSorter, {"heads": 8}),
    (rb.BiLSTMSorter, {"standardized": True}),
    (rb.BiGRUSorter, {"standardized": False}),
    (rb.MLPSorter, {"standardized": True}),
    (rb.MLPSorter, {"hidden": 31}),
    (rb.ConvSorter, {"n": 41}),
    (rb.KnotSorter, {"nuts": 3}),
]


@pytest.mark.parametrize(("architecture", "wrong"), WRONG, ids=str)
def test_arguments_of_another_sorter_are_not_written(architecture, wrong, tmp_path):
    """Other heads have the same shapes."""
    sorter = small(architecture).train()
    with pytest.raises(ValueError, match="arguments must be those that the sorter was built with: "):
        rb.save_sorter(sorter, tmp_path / "a", SMALL[architecture] | wrong)
    assert not (tmp_path / "a").exists()
    assert sorter.training
    rb.save_sorter(sorter, tmp_path / "a", SMALL[architecture])


def test_facts_that_a_card_cannot_hold_are_refused(saved, tmp_path):
    with pytest.raises(TypeError, match=r"facts must be what JSON can hold: .* got object"):
        rb.save_sorter(saved[1], tmp_path / "a", SMALL[rb.KnotSorter], thing=object())
    with pytest.raises(ValueError, match="facts must not be called sha256, weights, which the card has already"):
        rb.save_sorter(saved[1], tmp_path / "a", SMALL[rb.KnotSorter], weights=3, sha256="")
    with pytest.raises(TypeError, match="arguments must be a dict"):
        rb.save_sorter(saved[1], tmp_path / "a", [20])
    assert not (tmp_path / "a").exists()
    written = rb.save_sorter(saved[1], tmp_path / "a", {"knots": np.int64(20)}, error=np.float32(0.5), place=(1, torch.tensor(2)))
    assert (written["arguments"], written["error"], written["place"]) == ({"knots": 20}, 0.5, [1, 2])
    assert rb.load_sorter(tmp_path / "a").place.shape == (20,)


@every_sorter
@pytest.mark.parametrize("mode", [{"device": "meta"}, {"dtype": torch.float64}, {"dtype": torch.float16}, {"inference": True}], ids=str)
def test_defaults_and_modes_do_not_matter_to_what_is_loaded(architecture, mode, tmp_path):
    sorter = small(architecture)
    rb.save_sorter(sorter, tmp_path, SMALL[architecture])
    try:
        torch.set_default_device(mode.get("device"))
        torch.set_default_dtype(mode.get("dtype", torch.float32))
        with torch.inference_mode(mode.get("inference", False)):
            loaded = rb.load_sorter(tmp_path)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    for ours, theirs in zip(loaded.state_dict().values(), sorter.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs) and ours.dtype == theirs.dtype and ours.device == theirs.device
    scores = torch.randn(2, sorter.length or 9).requires_grad_()
    loaded.requires_grad_(True)(scores).sum().backward()
    assert scores.grad.isfinite().all()


def test_missing_file_is_named(saved):
    (saved[0] / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"knots.weights\.safetensors"):
        rb.load_sorter(saved[0])


def test_unknown_name_lists_the_known_ones():
    for read in (rb.sorter_card, rb.load_sorter):
        with pytest.raises(ValueError, match=r"name must be one of .*kernel.*, or a folder that save_sorter wrote, got 'colonel'"):
            read("colonel")


# --- what is shipped ---


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """As if the repository were in another place, with a copy of the shipped sorters."""
    folder = shutil.copytree(SHIPPED, tmp_path / "data" / "sorters")
    monkeypatch.setattr("rankbook.archive.REPOSITORY", tmp_path)
    return folder


@pytest.mark.parametrize("file", ["card.json", "weights.safetensors"])
def test_damaged_shipped_file_is_refused_with_the_remedy(elsewhere, file):
    path = elsewhere / "kernel" / file
    content = bytearray(path.read_bytes())
    rb.load_sorter("kernel")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged: expected sha256:.* python -m rankbook\.experiments\.sorters"):
        rb.load_sorter("kernel")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"is missing; .* python -m rankbook\.experiments\.sorters"):
        rb.load_sorter("kernel")


def test_registry_has_every_file_and_its_hash():
    files = sorted(path for path in SHIPPED.rglob("*") if path.is_file() and path.name != "README.md")
    actual = {path.relative_to(SHIPPED).as_posix(): f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files}
    assert checkpoints._archive().registry == actual
    assert {Path(name).name for name in actual} == {"card.json", "weights.safetensors"}


def test_checksums_are_what_write_checksums_writes(tmp_path):
    checkpoints.write_checksums(SHIPPED, tmp_path / "sha256.txt")
    assert (tmp_path / "sha256.txt").read_text() == Path(checkpoints.__file__).with_name("sorters_sha256.txt").read_text()


def test_sizes():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) < 12e6
    assert sum(path.stat().st_size for path in DATA.rglob("*") if "__pycache__" not in path.parts) < 25e6


@every_shipped
def test_nothing_is_pickled(name):
    """The weights are a length, a JSON header and plain numbers, nothing else."""
    content = (SHIPPED / name / "weights.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    ends = [entry["data_offsets"][1] for entry in header.values()]
    assert max(ends) == len(content) - 8 - size
    assert {entry["dtype"] for entry in header.values()} <= {"F16", "I64"}


@every_shipped
def test_card_is_complete(name):
    card, sorter = rb.sorter_card(name), rb.load_sorter(name)
    assert card["architecture"] == type(sorter).__name__
    assert card["n"] == (sorter.length or "any")
    assert card["weights"] == sum(weights.numel() for weights in sorter.parameters())
    assert set(card["training"]) >= {"n", "batch", "steps", "lr", "guidance", "mixture", "seed"}
    assert list(card["error_by_kind"]) == list(dict.fromkeys(KINDS))
    shares = [KINDS.count(kind) / len(KINDS) for kind in card["error_by_kind"]]
    mean = sum(share * error for share, error in zip(shares, card["error_by_kind"].values(), strict=True))
    assert card["error"] == pytest.approx(mean, rel=0.05)
    assert 0 < card["error"] < 0.25 and card["descent"] <= 1 and card["cpu_seconds"] > 0
    assert card["command"] == f"python -m rankbook.experiments.sorters train {name}"
    assert card["torch"].startswith("2.")


@every_shipped
def test_error_is_that_of_the_card(name):
    """The card speaks of 10,000 lists: the first 1,000 of them agree within four standard errors."""
    scores, _ = synthetic_kinds(N, TEST_LISTS, generator=torch.Generator().manual_seed(TEST_SEED))
    errors = rb.rank_error(rb.load_sorter(name), scores[:1000])
    assert errors.mean().item() == pytest.approx(rb.sorter_card(name)["error"], abs=4 * errors.std().item() / 1000**0.5)


@pytest.mark.parametrize("name", [name for name in shipped_names() if rb.sorter_card(name)["weights"] < 1000])  # in seconds
def test_descent_is_that_of_the_card(name):
    descent = rb.rank_descent(rb.load_sorter(name), n=N, seed=TEST_SEED)
    assert descent == pytest.approx(rb.sorter_card(name)["descent"], abs=0.01)


def test_list_sorters_shows_all_of_them_the_most_exact_first():
    table = rb.list_sorters()
    assert sorted(table.index) == shipped_names()
    assert table.columns.tolist() == ["architecture", "n", "weights", "error", "descent", "cpu_seconds"]
    assert table["error"].is_monotonic_increasing
    assert table.notna().all(axis=None)
    assert table.loc["kernel", "architecture"] == "KernelSorter"


def test_the_best_one_beats_the_papers_lstm_with_a_gradient_that_leads():
    """.0033 is the error of SoDeep's LSTM, table 1."""
    table = rb.list_sorters()
    assert ((table["error"] <= 0.0033) & (table["descent"] >= 0.95)).any()
