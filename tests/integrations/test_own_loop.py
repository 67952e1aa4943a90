"""The examples of the page on your own loop run as printed, and each trains; those of libraries that are not installed skip."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import rankbook as rb
from rankbook.losses.batch_loss import BatchLoss

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "own_loop.md").read_text(encoding="utf-8")


def examples() -> dict[str, str]:
    """What stands above, a heading or words in bold -> code; the second of one heading has a number."""
    found, title = {}, "start"
    for part in re.finditer(r"^## (?P<head>.+)$|^\*\*(?P<bold>.+?)\.\*\*|^```python\n(?P<code>[^`]*)```$", PAGE, re.MULTILINE):
        if part["code"] is None:
            title = part["head"] or part["bold"]
        else:
            found[title if title not in found else f"{title} 2"] = part["code"]
    return found


EXAMPLES = examples()
START = EXAMPLES.pop("start")
SHARED = "Several processes"


def libraries(code: str) -> list[str]:
    tops = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    return sorted({top.partition(".")[0] for top in tops})


def needs(*names: str) -> None:
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write a folder of runs
    names = {"__name__": "example"}
    exec(compile(START, "book/own_loop.md", "exec"), names)
    return names


def loss_of(names, model) -> float:
    """Of the same batches before and after."""
    sampler = rb.BalancedBatchSampler(names["data"].labels, classes=32, per_class=4, seed=123)
    with torch.no_grad():
        return sum(names["loss_fn"](model(names["data"].inputs[rows]), names["data"].labels[rows]).item() for rows in sampler) / len(
            sampler
        )


@pytest.mark.filterwarnings("ignore")  # of the libraries
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("Sentence Transformers", SHARED)])
def test_an_example_of_the_page_trains(name, start):
    code = EXAMPLES[name]
    needs(*libraries(code))
    model = start["model"]
    loss, found = loss_of(start, model), start["measure"](model)
    exec(compile(code, "book/own_loop.md", "exec"), start)
    model.eval()
    after, measured = loss_of(start, model), start["measure"](model)
    told = " ".join(f"{metric} {found[metric]:.3f} to {measured[metric]:.3f}" for metric in found)
    print(f"{name}: loss {loss:.3f} to {after:.3f}, {told}")
    assert after < 0.8 * loss
    assert measured["R@1"] > 1.1 * found["R@1"] and measured["AP"] > 1.1 * found["AP"]


def test_the_example_of_several_processes_is_that_of_one(start, tmp_path):
    """Started as the page says; its last words, on each process, are those of a training in one."""
    script = tmp_path / "script.py"
    script.write_text(f"{START}\ntorch.manual_seed(0)\nmodel.head.reset_parameters()\n{EXAMPLES[SHARED]}")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    ended = subprocess.run(launch, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-3000:]
    torch.manual_seed(0)
    start["model"].head.reset_parameters()
    untrained = start["measure"](start["model"])["R@1"]
    rb.train(start["model"], start["loss_fn"], start["loader"], start["optimizer"], steps=60)
    alone = start["measure"](start["model"])
    said = [ast.literal_eval(found) for found in re.findall(r"\{[^}]*\}", ended.stdout)]  # the lines of two processes may run together
    assert len(said) == 2 and said[0] == said[1]
    assert said[0] == pytest.approx(alone, abs=2e-3)
    assert alone["R@1"] > 1.1 * untrained


def test_the_page_has_the_loops_that_it_should():
    found = {library for code in EXAMPLES.values() for library in libraries(code)}
    assert {"accelerate", "lightning", "pytorch_metric_learning", "sentence_transformers", "transformers"} <= found
    assert all(len(line) <= 88 for code in (START, *EXAMPLES.values()) for line in code.splitlines())


def test_accumulated_gradients_are_not_those_of_a_larger_batch(start):
    """What the page says: of a mean over items they are, of ranks they are not."""
    model, data = start["model"], start["data"]
    rows = torch.tensor(next(iter(rb.BalancedBatchSampler(data.labels, classes=64, per_class=4))))
    parts = rows.split(64)

    def gradient(loss, batches):
        model.zero_grad()
        for batch in batches:
            (loss(model(data.inputs[batch]), data.labels[batch]) / len(batches)).backward()
        return model.head.weight.grad.flatten().clone()

    smooth = start["loss_fn"]
    by_item = lambda embeddings, labels: (embeddings[:, 0] - labels / 800).square().mean()  # noqa: E731
    assert len({len(part) for part in parts}) == 1
    torch.testing.assert_close(gradient(by_item, parts), gradient(by_item, [rows]))
    small, large = gradient(smooth, parts), gradient(smooth, [rows])
    assert (small - large).norm() > 0.15 * large.norm()


# --- pytorch-metric-learning

# made of parts, and without a gallery
NOT_HERE = {"BatchRankLoss", "ClusterLoss"}
BATCH_LOSSES = [name for name in rb.losses.__all__ if isinstance(loss := getattr(rb, name), type) and issubclass(loss, BatchLoss)]


@pytest.mark.parametrize("name", [name for name in BATCH_LOSSES if name not in NOT_HERE])
def test_a_miner_is_refused_aloud(name):
    """And None in its place is no reference set."""
    loss = getattr(rb, name)
    embeddings, labels = nn.functional.normalize(torch.randn(6, 4), dim=1), torch.arange(6) // 2
    assert torch.equal(loss()(embeddings, labels, None), loss()(embeddings, labels))
    for pairs in ((labels, labels, labels), [labels, labels, labels, labels]):
        with pytest.raises(
            TypeError, match=rf"ref_embeddings must be a tensor .* of {len(pairs)}; if a miner found .* leave the miner out"
        ):
            loss()(embeddings, labels, pairs)


# --- sentence-transformers


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    """A transformer of one layer over the words of the emoji names; nothing is downloaded."""
    needs("sentence_transformers", "datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    table = rb.datasets.emoji("all", "texts").table
    words = sorted({word for text in (*table["name"], *table["keywords"]) for word in re.findall(r"[a-z]+", text.lower())})
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", *words]))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words) + 6,
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=48,
    )
    BertModel(config).save_pretrained(folder)
    transformer = models.Transformer(str(folder), max_seq_length=32)
    return SentenceTransformer(modules=[transformer, models.Pooling(64)], device="cpu")


@pytest.mark.filterwarnings("ignore")
def test_the_example_of_sentence_transformers_trains(encoder, start):
    code = EXAMPLES["Sentence Transformers"]
    from datasets import Dataset

    table = rb.datasets.emoji("train", "texts").table
    pairs = Dataset.from_dict({"name": table["name"].tolist(), "keywords": table["keywords"].tolist()})
    judged = rb.datasets.emoji("validation", "texts").table

    def measure():
        names, keywords = (
            encoder.encode(judged[c].tolist(), convert_to_tensor=True, normalize_embeddings=True) for c in ("name", "keywords")
        )
        numbers = torch.arange(len(judged))
        return rb.evaluate_retrieval(names, numbers, keywords, numbers)

    before = measure()
    exec(compile(code, "book/own_loop.md", "exec"), start | {"encoder": encoder, "pairs": pairs})
    after = measure()
    print(f"R@1 {before['R@1']:.3f} to {after['R@1']:.3f}, AP {before['AP']:.3f} to {after['AP']:.3f}")
    assert after["AP"] > 1.2 * before["AP"]
