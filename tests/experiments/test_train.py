"""The training command: as many processes as you like, one result; killed anywhere, the same bits; another training is refused."""

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load

from experiments.train_fleet import EVERY, KILLS, SCENES, STEPS
from rankbook import datasets
from rankbook.datasets import Samples
from rankbook.experiments.train.__main__ import main, parser
from rankbook.experiments.train.data import known, split_samples
from rankbook.experiments.train.networks import Pixels, network_for
from rankbook.experiments.train.session import BATCH_LOSSES

SECONDS = 900
KILLED = -9


def environment(root):
    paths = os.pathsep.join([str(root), str(root / "tests"), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory, root):
    if not hasattr(os, "fork"):
        pytest.skip("the processes are forked, which this system cannot")
    home = tmp_path_factory.mktemp("fleet")
    with open(home / "log", "w") as log:
        command = [sys.executable, "-m", "experiments.train_fleet", str(home)]
        end = subprocess.run(command, env=environment(root), stdout=log, stderr=log, timeout=SECONDS).returncode
    assert end == 0, (home / "log").read_text()[-3000:]
    logs = {name: "".join(path.read_text() for path in (home / f"scene{i}").glob("log*")) for i, name in enumerate(SCENES)}
    return {name: json.loads((home / f"{name}.json").read_text()) | {"logs": logs[name]} for name in SCENES}


def weights(scene):
    return load(bytes.fromhex(scene["result"]["weights.safetensors"]))


def history(scene):
    return pd.read_csv(io.BytesIO(bytes.fromhex(scene["result"]["history.csv"])))


@pytest.mark.parametrize("kind", ["whole", "tree"])
def test_the_number_of_processes_changes_the_result_by_rounding_only(scenes, kind):
    one = scenes[f"{kind} 1"]
    assert history(one)["step"].tolist() == [*range(EVERY, STEPS, EVERY), STEPS]
    assert history(one)["loss"].iloc[-1] < history(one)["loss"].iloc[0]
    for world in (2, 4):
        other = scenes[f"{kind} {world}"]
        assert other["codes"] == [0] * world, other["logs"][-3000:]
        for name, value in weights(other).items():
            torch.testing.assert_close(value, weights(one)[name], rtol=1e-4, atol=1e-5)
        pd.testing.assert_frame_equal(history(other), history(one), rtol=1e-4, atol=1e-5)


def test_the_loss_and_the_seed_matter(scenes):
    first, second = weights(scenes["whole 1"]), weights(scenes["tree 1"])
    assert not torch.allclose(first["linear.weight"], second["linear.weight"], atol=1e-2)


@pytest.mark.parametrize("world", KILLS)
def test_a_training_that_is_killed_again_and_again_ends_in_the_same_bits(scenes, world):
    scene = scenes[f"killed {world}"]
    for kill, codes in zip(KILLS[world], scene["killed"], strict=True):
        assert codes[kill[1]] == KILLED, (kill, scene["logs"][-3000:])
        for rank, code in enumerate(codes):
            assert code is not None, f"the process of rank {rank} hangs after {kill}"
            assert rank == kill[1] or code != 0, f"the process of rank {rank} has not noticed {kill}"
    assert scene["codes"] == [0] * world, scene["logs"][-3000:]
    assert scene["result"] == scenes[f"whole {world}"]["result"]


def test_another_training_in_the_folder_is_refused(scenes):
    scene = scenes["others"]
    assert scene["first"] == scene["again"] == [0, 0] and scene["same"]
    assert all(code not in (0, None) for codes in scene["codes"] for code in codes), scene["codes"]
    for told in (
        "processes was 2, is now 4",
        "knobs was {'tau': 0.1,",
        "classes was 5, is now 4. ",
        "seed was 0, is now 1",
        "Choose another --out",
    ):
        assert told in scene["log"], told


# ------------------------------------------------------------------ as a user starts it


@pytest.fixture
def photos(tmp_path):
    """Six classes of four pictures, each class of one color."""
    generator = np.random.default_rng(0)
    for number in range(24):
        color = np.array([(number // 4) * 40, 255 - (number // 4) * 40, 120])
        pixels = np.clip(color + generator.normal(0, 20, (16, 16, 3)), 0, 255).astype(np.uint8)
        path = tmp_path / "photos" / f"class{number // 4}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path / "photos"


def options(photos, out, steps=150):
    return [
        *("--data", str(photos), "--size", "16", "--validation", "0.34", "--loss", "SmoothAPLoss", "--knob", "tau=0.1"),
        *("--steps", str(steps), "--every", "2", "--classes", "4", "--per-class", "3", "--outputs", "8", "--out", str(out)),
        *("--device", "cpu"),
    ]


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def children(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_under_torchrun_nobody_outlives_the_launcher_and_the_next_one_goes_on(tmp_path, photos, root):
    """The launcher is killed hard; its processes end themselves, and let go of the folder."""
    out, output = tmp_path / "run", tmp_path / "log"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rankbook.experiments.train"]
    command = [*launch, *options(photos, out)]
    with open(output, "w") as log:
        first = subprocess.Popen(command, env=environment(root), stdout=log, stderr=log)
        wait_for(lambda: (out / "checkpoint.pt").exists() or first.poll() is not None)
        workers = children(first.pid)
        first.kill()
        first.wait()
        assert len(workers) == 2, output.read_text()[-3000:]
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        assert not (out / "history.csv").exists()
        end = subprocess.run(command, env=environment(root), stdout=log, stderr=log, timeout=SECONDS).returncode
    assert end == 0, output.read_text()[-3000:]
    main(options(photos, tmp_path / "alone"))
    found, alone = (pd.read_csv(folder / "history.csv") for folder in (out, tmp_path / "alone"))
    assert found["step"].tolist() == list(range(2, 151, 2))
    np.testing.assert_allclose(found["loss"].head(20), alone["loss"].head(20), rtol=1e-2)  # rounding grows with the steps
    assert found["loss"].tail(20).mean() < 0.7 * found["loss"].head(20).mean()


def test_one_process_trains_and_goes_on(tmp_path, photos, capsys):
    main(options(photos, tmp_path / "run", steps=4))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert {"configuration.json", "checkpoint.pt", "history.csv", "weights.safetensors"} <= before.keys()
    main(options(photos, tmp_path / "run", steps=4))
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert "weights.safetensors" in capsys.readouterr().out
    network = Pixels(3, 8)
    network.load_state_dict(load(before["weights.safetensors"]))
    (photos / "class0" / "0.png").unlink()
    with pytest.raises(SystemExit):
        main(options(photos, tmp_path / "run", steps=4))
    assert "holds another training: " in capsys.readouterr().err


# ------------------------------------------------------------------ options


BAD = {
    "loss must be one of .*SmoothAPLoss": ["--loss", "ClusterLoss"],
    "unexpected keyword argument 'bins'": ["--knob", "bins=3"],
    "tau must be": ["--knob", "tau=-1"],
    "NAME=VALUE": ["--knob", "tau"],
    "data must be one of .*emoji, .*or a folder": ["--data", "no such set"],
    "size is nothing that emoji takes; leave --size out": ["--data", "emoji"],
    "inputs is nothing that image_folder takes": ["--inputs", "images"],
    "root goes with the name of a set": ["--root", "nowhere"],
    "validation must leave classes on both sides": ["--validation", "0.01"],
    "steps: must be a whole number of at least 1": ["--steps", "0"],
    "classes must be from 1 to the": ["--classes", "99"],
    "image_folder does not come with the package; say where it is: --root DIR": ["--data", "image_folder"],
}


@pytest.mark.parametrize("message", BAD)
def test_bad_options_are_named(message, tmp_path, photos, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([*options(photos, tmp_path / "run", steps=2), *BAD[message]])
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_every_option_has_its_help():
    assert all(action.help for action in parser()._actions)
    said = parser().format_help()
    assert all(name in said for name in (*known(), *BATCH_LOSSES, "torchrun"))


def test_sets_are_found_by_name(monkeypatch):
    """A loader that joins the package joins the command."""

    def birds(root, split="all") -> "Samples":
        asked.append((root, split))
        return Samples(torch.eye(4).half(), torch.tensor([0, 0, 1, 1]))

    asked = []
    monkeypatch.setattr(datasets, "birds", birds, raising=False)
    monkeypatch.setattr(datasets, "__all__", [*datasets.__all__, "birds"])
    assert {"emoji", "image_folder", "birds"} <= known().keys() and not {"features", "svmlight"} & known().keys()
    train, judged = split_samples("birds", Path("here"))
    assert asked == [(Path("here"), "train"), (Path("here"), "validation")]
    assert train.inputs.dtype == torch.float32 and len(judged) == 4


def test_a_set_without_classes_is_named(monkeypatch):
    def singles(root, split="all") -> "Samples":
        return Samples(torch.eye(4), torch.arange(4))

    monkeypatch.setattr(datasets, "voc", singles)
    with pytest.raises(ValueError, match="two classes or more of two items or more in each split, voc has 0 in train"):
        split_samples("voc", Path("here"))


def test_a_folder_is_split_by_class(photos):
    train, judged = split_samples(str(photos), None, size=8, validation=0.34)
    assert len(train.labels.unique()) == 4 and len(judged.labels.unique()) == 2
    assert not set(train.labels.tolist()) & set(judged.labels.tolist())
    assert split_samples(str(photos), None, size=8, validation=0.34)[1].labels.equal(judged.labels)


@pytest.mark.parametrize("size", [8, 48, 33])
def test_pictures_of_any_size_and_kind_become_unit_vectors(size):
    images = torch.randint(256, (3, 3, size, size), dtype=torch.uint8)
    network = network_for(images, 5)
    found = network(images)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(network(images.float() / 255), found)
    torch.testing.assert_close(network(images[:1]), found[:1])  # items alone, so processes can share them
    with pytest.raises(ValueError, match="data must hold features"):
        network_for(torch.zeros(2, 3, 4), 5)
