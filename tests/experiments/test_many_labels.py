"""Pictures with many labels: what is divided, what the losses read, what is measured; slow loops and scikit-learn are the oracles."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

import rankbook as rb
from rankbook.datasets.voc import CLASSES
from rankbook.experiments import label_losses
from rankbook.experiments.tasks.labels import GivenScores, ManyLabels, Tagged, emoji_keywords, flickr8k_nouns, judged, voc2012_scores

N, LABELS = 90, 3


def pictures() -> Tagged:
    """Inputs that tell the labels with some noise; three pictures a group, and the first ten groups choose."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(N, 6, generator=generator)
    noise = torch.randn(N, LABELS, generator=generator)
    targets = (inputs[:, :LABELS] + 0.5 * noise > torch.tensor([0.0, 0.7, 1.2])).float()
    groups = torch.arange(N) // 3
    return Tagged(inputs, targets, groups, groups < 10, ("a", "b", "c"))


TASK = ManyLabels(load=pictures, batch=16)
SCORES = torch.randn(12, LABELS, generator=torch.Generator().manual_seed(1))
TARGETS = (torch.rand(12, LABELS, generator=torch.Generator().manual_seed(2)) < 0.4).float()


def test_each_seed_divides_the_groups_anew_and_never_judges_what_chose():
    data, halves = pictures(), [TASK.divided(seed) for seed in (0, 1)]
    for training, judged_on in halves:
        assert not set(data.groups[training].tolist()) & set(data.groups[judged_on].tolist())
        assert not data.validation[torch.cat([training, judged_on])].any()
        assert len(training) + len(judged_on) == int((~data.validation).sum()) and len(training) == 3 * 12
    assert halves[0][0].tolist() != halves[1][0].tolist()


def test_losses_share_the_division_and_the_batches():
    class Seen(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.targets = []

        def forward(self, scores, targets):
            self.targets.append(targets)
            return scores.square().mean()

    one, other, another = Seen(), Seen(), Seen()
    before = torch.get_rng_state()
    for seen, seed, lr in ((one, 0, 0.0), (other, 0, 0.1), (another, 1, 0.1)):
        head = TASK.fit(seen, lr=lr, steps=4, seed=seed)
        assert torch.equal(head.unseen, TASK.divided(seed)[1]) and all(len(batch) == 16 for batch in seen.targets)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.targets, other.targets, strict=True))
    assert not torch.equal(one.targets[0], another.targets[0])


def test_a_run_repeats_and_learns():
    study = {"lr": 0.003, "steps": 60, "seed": 0}
    heads = [TASK.fit(label_losses.CrossEntropy(), **study) for _ in range(2)]
    assert torch.equal(heads[0].linear.weight, heads[1].linear.weight)
    found = TASK.measure(heads[0], "test")
    assert tuple(found) == (*TASK.metrics, "mAP seen") and found["AUC"] > 0.8
    assert tuple(TASK.measure(heads[0], "validation")) == TASK.metrics


def test_what_was_trained_on_is_measured_apart():
    data, (seen, unseen) = pictures(), TASK.divided(0)
    head = TASK.fit(label_losses.CrossEntropy(), lr=0.003, steps=20, seed=0)
    found = TASK.measure(head, "test")
    for name, rows in (("mAP seen", seen), ("mAP", unseen)):
        scores = head(data.inputs[rows]).detach()
        by_hand = np.mean([average_precision_score(data.targets[rows, c], scores[:, c]) for c in range(LABELS)])
        assert found[name] == pytest.approx(by_hand, rel=1e-6)


def test_metrics_are_those_of_scikit_learn():
    targets = TARGETS.clone()
    targets[:, 1] = 0  # no positive: no value
    found, lists = judged(SCORES.T, targets.T), (0, 2)
    assert found["mAP"] == pytest.approx(np.mean([average_precision_score(targets[:, c], SCORES[:, c]) for c in lists]), rel=1e-6)
    assert found["AUC"] == pytest.approx(np.mean([roc_auc_score(targets[:, c], SCORES[:, c]) for c in lists]), rel=1e-6)
    assert found["mAP frequent"] == pytest.approx(average_precision_score(targets[:, 0], SCORES[:, 0]), rel=1e-6)
    assert found["mAP rare"] == pytest.approx(average_precision_score(targets[:, 2], SCORES[:, 2]), rel=1e-6)


@pytest.mark.parametrize("tau", [0.3, 3.0])
def test_a_batch_loss_reads_columns(tau):
    by_engine = label_losses.smooth_ap(tau)(SCORES, TARGETS)
    composed = rb.as_loss(rb.average_precision, partial(rb.sigmoid_ranks, tau=tau))(SCORES.T, TARGETS.T)
    torch.testing.assert_close(by_engine, composed)


def test_the_memory_is_a_longer_list_whose_old_part_is_a_constant():
    loss, scores = label_losses.WithMemory(rb.SmoothAPLoss(tau=1.0), size=8), SCORES.clone().requires_grad_()
    first = loss(SCORES[:8], TARGETS[:8])
    torch.testing.assert_close(first, label_losses.smooth_ap(1.0)(SCORES[:8], TARGETS[:8]))
    second = loss(scores[8:], TARGETS[8:])
    torch.testing.assert_close(second, label_losses.smooth_ap(1.0)(SCORES, TARGETS))
    (gradient,) = torch.autograd.grad(second, scores)
    assert gradient[8:].abs().sum() > 0 and gradient[:8].abs().sum() == 0


def test_the_asymmetric_loss_is_its_equation():
    total, scores = 0.0, 3 * SCORES  # some probabilities below the margin
    for score, target in zip(scores.flatten().tolist(), TARGETS.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-score))
        shifted = max(p - 0.3, 0)
        total -= math.log(p) if target else shifted**2 * math.log(1 - shifted)
    assert label_losses.AsymmetricLoss(2.0, margin=0.3)(scores, TARGETS).item() == pytest.approx(total / SCORES.numel(), rel=1e-5)


def test_the_weight_of_positives_and_the_sum():
    sigmoid = SCORES.double().sigmoid()
    by_hand = -(3 * TARGETS * sigmoid.log() + (1 - TARGETS) * (1 - sigmoid).log()).mean()
    assert label_losses.CrossEntropy(3.0)(SCORES, TARGETS).item() == pytest.approx(by_hand.item(), rel=1e-5)
    parts = label_losses.CrossEntropy()(SCORES, TARGETS) + 0.3 * label_losses.mean_rank(1.0)(SCORES, TARGETS)
    torch.testing.assert_close(label_losses.cross_entropy_and_mean_rank(0.3)(SCORES, TARGETS), parts)


# --- the sets ---


def test_keywords_of_emoji_come_by_frequency_and_families_stay_together():
    data = emoji_keywords()
    assert data.targets.shape == (len(data.inputs), 40) and data.names[:3] == ("face", "animal", "man")
    table = rb.datasets.emoji("all").table
    row = 1000
    assert {name for name, value in zip(data.names, data.targets[row].tolist(), strict=True) if value} == set(data.names) & set(
        table["keywords"][row].split(", ")
    )
    assert set(data.groups[data.validation].tolist()).isdisjoint(data.groups[~data.validation].tolist())


def test_nouns_need_two_of_the_captions(tmp_path):
    """CRLF, capitals, plurals, a word inside of a longer one; a photograph without a caption and one in no list are left out."""
    captions = {
        "a.jpg": ["A Dog runs .", "Two dogs on sand", "grass"],
        "b.jpg": ["a dogfight", "a cat", "dog !"],
        "c.jpg": ["Snow", "snow"],
        "no_list.jpg": ["a dog", "a dog"],
    }
    lines = [f"{name}#{i}\t{text}" for name, texts in captions.items() for i, text in enumerate(texts)]
    (tmp_path / "Flickr8k.token.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    np.savez(
        tmp_path / "features_lite0.npz",
        image=np.array(["c.jpg", "a.jpg", "b.jpg", "no_caption.jpg", "no_list.jpg"]),
        X=np.arange(10, dtype=np.float16).reshape(5, 2),
    )
    for part, names in {"train": "a.jpg\r\nno_caption.jpg\r\n", "dev": "b.jpg\n", "test": "c.jpg\n"}.items():
        (tmp_path / f"Flickr_8k.{part}Images.txt").write_text(names)
    data = flickr8k_nouns(tmp_path)
    assert data.inputs.tolist() == [[2, 3], [4, 5], [0, 1]] and data.validation.tolist() == [False, True, False]
    shown = [{name for name, value in zip(data.names, row.tolist(), strict=True) if value} for row in data.targets]
    assert shown == [{"dog"}, set(), {"snow"}] and len(data.names) == 60


def test_given_scores_are_measured_as_they_are(tmp_path):
    generator = torch.Generator().manual_seed(3)
    targets = (torch.rand(200, 20, generator=generator) < torch.linspace(0.1, 0.5, 20)).float()
    scores = torch.cat([targets + torch.randn(200, 20, generator=generator), torch.randn(200, 20, generator=generator)], 1)
    np.savez(tmp_path / "val_scores.npz", X=scores.numpy(), Y=targets.numpy().astype(np.uint8))
    data = voc2012_scores(tmp_path)
    frequent = int(targets.sum(0).argmax())
    assert data.names[0] == CLASSES[frequent] and torch.equal(data.inputs[:, 0], scores[:, frequent])
    task = GivenScores(load=voc2012_scores, root=tmp_path)
    head = task.fit(label_losses.CrossEntropy(), lr=0.0, steps=1, seed=0)
    found = task.measure(head, "test")
    by_hand = np.mean([average_precision_score(targets[head.unseen, c], scores[head.unseen, c]) for c in range(20)])
    assert found["mAP as given"] == pytest.approx(by_hand, rel=1e-5) and found["AUC"] == 0.5
    np.savez(tmp_path / "val_scores.npz", X=scores.numpy()[:, :20], Y=targets.numpy())
    with pytest.raises(ValueError, match=r"must hold X \[n, 40\] and Y \[n, 20\], got \[200, 20\] and \[200, 20\]; keep the scores"):
        voc2012_scores(tmp_path)
    (tmp_path / "val_scores.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"root must hold val_scores\.npz, .* np\.savez"):
        voc2012_scores(tmp_path)
