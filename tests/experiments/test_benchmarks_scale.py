"""The table of large batches: what each way is called is what it does, and the command stores whole tables only."""

import pytest
import torch

from rankbook.experiments.benchmarks import processes, scale, scale_ways
from rankbook.experiments.tables import read_table, stored_table


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(scale_ways, "CHUNK", 16)


@pytest.mark.parametrize("way", [way for way, (_, world) in scale_ways.WAYS.items() if world == 1])
def test_a_way_of_one_process_is_exact_or_not(small_chunks, way):
    found = scale_ways.measure(0, 1, "small", way, [32, 64])
    assert len(found) == 2
    for line in found:
        assert (line["error"] < 1e-5) == (way != "memory")
        assert line["seconds"] > 0 and line["over"] > 0 and line["megabytes"] >= 0


def test_a_memory_holds_the_rest_of_the_batch(small_chunks):
    """Its step is the loss of the first chunk as queries, in the gallery of all."""
    model, (inputs, labels) = scale_ways.small(), scale_ways.seeded_images(64)
    scale_ways.memory(model, inputs, labels, 0, 1)()
    found = scale_ways.gradient(model)
    model.zero_grad()
    first = model(inputs[:16])
    with torch.no_grad():
        rest = model(inputs[16:])
    scale_ways.LOSS(first, labels[:16], torch.cat([first, rest]), labels, self_index=torch.arange(16)).backward()
    torch.testing.assert_close(found, scale_ways.gradient(model), rtol=1e-5, atol=1e-7)


def test_the_big_encoder_keeps_much_for_each_item():
    held = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: held.append(x) or x, lambda x: x):
        scale_ways.big()(torch.randn(8, 3, 16, 16))
    kept = {x.data_ptr(): x.nbytes for x in held}
    assert 100e3 < sum(kept.values()) / 8 < 270e3


def test_the_command_stores_what_the_chapter_reads(tmp_path, monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")  # which the command sets, for the processes that it starts
    lines = [{"megabytes": 1.0, "seconds": 1.0, "over": 1.0, "error": 0.0, "cosine": 1.0}] * 2
    monkeypatch.setattr(scale, "together", lambda work, world, encoder, way, sizes: [lines] * world)
    monkeypatch.setattr(scale, "traps", lambda: stored_table("scale_traps"))
    scale.main(["--quick", "--folder", str(tmp_path)])
    table, stored = read_table(tmp_path / "scale.csv"), stored_table("scale")
    assert [*table.columns] == [*stored.columns]
    assert set(stored["way"]) == set(scale_ways.WAYS) and set(stored["encoder"]) == set(scale_ways.ENCODERS)
    assert set(stored["batch"]) == set(scale.SIZES)
    assert (tmp_path / "scale_traps.csv").exists()
    before = (tmp_path / "scale.csv").read_bytes()
    scale.main(["--quick", "gathered", "--folder", str(tmp_path)])
    assert (tmp_path / "scale.csv").read_bytes() == before
    for wrong in (["--quick"], ["whole"]):
        with pytest.raises(SystemExit):
            scale.main(wrong)


def test_without_gloo_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr(processes, "can_talk", lambda: False)
    with pytest.raises(RuntimeError, match="no gloo"):
        processes.together(print, 2)
