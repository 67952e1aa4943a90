"""Two passes give what one pass gives: gradients, random state, buffers; in bounded memory."""

import random

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

import rankbook as rb
from losses.scenes import peak_bytes

LABELS = torch.arange(12) % 4


class Towers(nn.Module):
    """Two inputs, two embeddings."""

    def __init__(self):
        super().__init__()
        self.image, self.text = nn.Linear(6, 3), nn.Linear(5, 3)

    def forward(self, image, text):
        return normalize(self.image(image), dim=1), normalize(self.text(text["x"]), dim=1)


class OnDictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, chunk):
        return self.layer(chunk["x"] * chunk["mask"][:, None])


def network(*layers):
    return nn.Sequential(nn.Linear(6, 8), *layers, nn.Tanh(), nn.Linear(8, 3)).double()


def loss_of(embeddings):
    return rb.SmoothAPLoss(tau=0.1)(normalize(embeddings, dim=1), LABELS)


def loss_of_pairs(images, texts):
    return rb.SupConLoss()(images, relevance=torch.eye(12), ref_embeddings=texts)


def inputs():
    return torch.randn(12, 6, dtype=torch.float64)


CASES = {
    "network": (network, inputs, loss_of),
    "layer norm": (lambda: network(nn.LayerNorm(8)), inputs, loss_of),
    "batch norm in evaluation": (lambda: network(nn.BatchNorm1d(8)).eval(), inputs, loss_of),
    "towers": (lambda: Towers().double(), lambda: (inputs(), {"x": torch.randn(12, 5, dtype=torch.float64)}), loss_of_pairs),
    "dictionary": (lambda: OnDictionary().double(), lambda: {"x": inputs(), "mask": torch.arange(12.0).double()}, loss_of),
    "list": (lambda: Listed().double(), lambda: ["a" * n for n in range(1, 13)], loss_of),
}


class Listed(nn.Module):
    """Texts in, by their length."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(13, 3)

    def forward(self, texts):
        return self.table(torch.tensor([len(text) for text in texts]))


def grads(encoder):
    return [parameter.grad for parameter in encoder.parameters()]


@pytest.mark.parametrize("chunk_size", [1, 5, 12, 100])
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_one_pass(case, chunk_size):
    make, data, loss_fn = CASES[case]
    encoder, data = make(), data()
    towers = encoder(*data) if isinstance(data, tuple) else (encoder(data),)
    expected = loss_fn(*towers)
    expected.backward()
    wanted = [grad.clone() for grad in grads(encoder)]
    assert all(grad.abs().max() > 1e-4 for grad in wanted)
    encoder.zero_grad()
    loss = rb.two_pass_backward(encoder, data, loss_fn, chunk_size=chunk_size)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(grads(encoder), wanted, rtol=1e-12, atol=1e-12)
    rb.two_pass_backward(encoder, data, loss_fn, chunk_size=chunk_size)  # gradients are added, as backward does
    torch.testing.assert_close(grads(encoder), [2 * grad for grad in wanted], rtol=1e-12, atol=1e-12)


def in_chunks(encoder, data, loss_fn, size):
    """The plain way to the same function: all graphs at once."""
    return loss_fn(torch.cat([encoder(chunk) for chunk in data.split(size)]))


LAYERS = {
    "dropout": lambda: nn.Dropout(0.5),
    "batch norm": lambda: nn.BatchNorm1d(8),
    "spectral norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8)),  # its buffers reach the embeddings
}


@pytest.mark.parametrize("layer", LAYERS)
def test_dropout_and_buffers_are_those_of_one_pass_over_the_chunks(layer):
    encoder, data = network(LAYERS[layer]()), inputs()
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    start = torch.get_rng_state()
    in_chunks(encoder, data, loss_of, 4).backward()
    torch.rand(1)  # what the loss draws
    end, wanted = torch.get_rng_state(), [grad.clone() for grad in grads(encoder)]
    buffers = {name: value.clone() for name, value in encoder.named_buffers()}

    encoder.load_state_dict(state)
    encoder.zero_grad()
    torch.set_rng_state(start)

    def drawing(embeddings):
        torch.rand(1)
        return loss_of(embeddings)

    rb.two_pass_backward(encoder, data, drawing, chunk_size=4)
    torch.testing.assert_close(grads(encoder), wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(dict(encoder.named_buffers()), buffers, rtol=1e-12, atol=1e-12)
    assert torch.equal(torch.get_rng_state(), end)


def test_autocast_holds_in_both_passes():
    encoder, data = network(nn.Dropout(0.5)).float(), inputs().float()
    start = torch.get_rng_state()
    with torch.autocast("cpu", torch.bfloat16):
        loss = in_chunks(encoder, data, loss_of, 6)
    loss.backward()
    wanted = [grad.clone() for grad in grads(encoder)]
    encoder.zero_grad()
    torch.set_rng_state(start)
    with torch.autocast("cpu", torch.bfloat16):
        rb.two_pass_backward(encoder, data, loss_of, chunk_size=6)
    # the gradients of the chunks are rounded to bfloat16 before they are summed, or after
    torch.testing.assert_close(grads(encoder), wanted, rtol=1e-2, atol=1e-4)
    assert all(grad.abs().max() > 1e-4 for grad in wanted)


def test_the_scaler_scales_the_gradients_alone():
    encoder, data = network(), inputs()
    loss = rb.two_pass_backward(encoder, data, loss_of, chunk_size=5)
    plain = [grad.clone() for grad in grads(encoder)]
    encoder.zero_grad()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    assert torch.equal(rb.two_pass_backward(encoder, data, loss_of, chunk_size=5, scaler=scaler), loss)
    torch.testing.assert_close(grads(encoder), [2.0**10 * grad for grad in plain], rtol=1e-12, atol=1e-12)


def test_one_synchronization_a_step():
    """Whatever has no_sync() is told so for all chunks but the last."""
    calls = []

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.syncs = network(), True

        def forward(self, chunk):
            calls.append((torch.is_grad_enabled(), self.syncs))
            return self.inner(chunk)

        def no_sync(self):
            from contextlib import contextmanager

            @contextmanager
            def quiet():
                self.syncs = False
                yield
                self.syncs = True

            return quiet()

    rb.two_pass_backward(Wrapped(), inputs(), loss_of, chunk_size=5)
    assert calls == [(False, True)] * 3 + [(True, False)] * 2 + [(True, True)]


def test_the_parameters_of_the_loss_and_of_the_inputs_get_their_gradient():
    encoder, data, head = network(), inputs().requires_grad_(), rb.ClusterLoss(4, 3).double()
    rb.two_pass_backward(encoder, data, lambda x: head(normalize(x, dim=1), LABELS), chunk_size=5)
    found = [data.grad, head.proxies.grad]
    head.zero_grad()
    loss = head(normalize(encoder(data), dim=1), LABELS)
    torch.testing.assert_close(found, list(torch.autograd.grad(loss, [data, head.proxies])), rtol=1e-12, atol=1e-12)


def test_it_trains_whatever_surrounds_it():
    encoder = network()
    with torch.no_grad():
        rb.two_pass_backward(encoder, inputs(), loss_of, chunk_size=5)
    assert all(grad is not None for grad in grads(encoder))


def test_memory_does_not_grow_with_the_batch():
    """One pass holds 64 outputs of 32 numbers for each of 1,024 items, two passes those of 64 items."""
    encoder = nn.Sequential(*[layer for _ in range(64) for layer in (nn.Linear(32, 32), nn.Tanh())])
    data = torch.randn(1024, 32)

    def loss_fn(embeddings):
        return (embeddings * embeddings.roll(1, 0)).sum()

    one = peak_bytes(lambda: loss_fn(encoder(data)).backward())
    two = peak_bytes(lambda: rb.two_pass_backward(encoder, data, loss_fn, chunk_size=64))
    assert one > 64 * 1024 * 32 * 4
    assert two < one / 8


def by_luck(chunk):
    return WEIGHT * chunk * random.random()


WEIGHT = torch.ones(6, requires_grad=True)
BAD = {
    "inputs of different lengths": (TypeError, "inputs", {"inputs": torch.tensor(1.0)}),
    "no inputs": (ValueError, "inputs", {"inputs": torch.ones(0, 6)}),
    "two lengths": (ValueError, "inputs", {"inputs": (torch.ones(3, 6), torch.ones(4, 6))}),
    "a text": (TypeError, "inputs", {"inputs": "abc"}),
    "chunk_size": (ValueError, "chunk_size", {"chunk_size": 0}),
    "encoder": (TypeError, "encoder", {"encoder": None}),
    "loss_fn": (TypeError, "loss_fn", {"loss_fn": 3}),
    "loss of each": (TypeError, "loss_fn", {"loss_fn": lambda x: x.sum(1)}),
    "detached loss": (TypeError, "loss_fn", {"loss_fn": lambda x: x.detach().sum()}),
    "rows": (ValueError, "encoder", {"encoder": lambda chunk: chunk.sum(0)}),
    "frozen": (ValueError, "encoder", {"encoder": lambda chunk: chunk * 2}),
    "another number of towers": (
        ValueError,
        "encoder",
        {"encoder": lambda chunk: [chunk * WEIGHT] * len(chunk), "loss_fn": lambda *x: x[0].sum()},
    ),
    "other randomness": (RuntimeError, "encoder gave other embeddings", {"encoder": by_luck}),
}


@pytest.mark.parametrize("fault", BAD)
def test_errors_name_the_argument(fault):
    error, match, changed = BAD[fault]
    good = {"encoder": lambda chunk: WEIGHT * chunk, "inputs": torch.ones(5, 6), "loss_fn": lambda x: x.sum(), "chunk_size": 2}
    with pytest.raises(error, match=match):
        rb.two_pass_backward(**(good | changed))
