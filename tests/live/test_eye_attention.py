"""The map is that of the network whose first layers it holds; the lesion is the one that the reader makes larger."""

import base64
import math
import struct

import pytest
import torch

from live.agreement import agree
from live.test_figures import values
from rankbook.experiments.tasks.fundus import BRIGHT, DARK, draw_pictures
from rankbook.experiments.tasks.saliency import CodeNetwork
from rankbook.live import EyeAttention
from rankbook.live.eye_attention import COLORS
from rankbook.live.eye_picture import MIDDLE


def test_the_eye_and_the_colors_are_those_of_the_task():
    eye = draw_pictures(torch.zeros(40, dtype=torch.long), torch.Generator().manual_seed(7)).inputs[24]
    stored = torch.frombuffer(bytearray(base64.b64decode(EyeAttention().picture)), dtype=torch.uint8).view(48, 48, 3)
    assert (eye.permute(1, 2, 0).int() - stored.int()).abs().max() <= 1  # another processor may round the last bit
    assert COLORS == {"bright": BRIGHT, "dark": DARK}


@pytest.mark.parametrize("look", COLORS)
def test_the_map_is_that_of_the_network(look):
    """Of first layers in evaluation, with both normalizations away from their first values."""
    torch.manual_seed(0)
    network = CodeNetwork(8, "mean times max", 0).train()
    for one in network.stem[1], network.stem[4]:
        torch.nn.init.normal_(one.weight)
        torch.nn.init.normal_(one.bias)
    eye = draw_pictures(torch.zeros(8, dtype=torch.long), torch.Generator().manual_seed(1)).inputs
    network(eye)
    network = network.double().eval()
    convolution, first, _, _, second = network.stem
    gain, scale = (one.weight / (one.running_var + one.eps).sqrt() for one in (first, second))
    kernel = convolution.weight * gain[:, None, None, None]
    bias = (convolution.bias - first.running_mean) * gain + first.bias
    stem = torch.cat([kernel.flatten(), bias, scale, second.bias - second.running_mean * scale]).tolist()
    picture = base64.b64encode(bytes(eye[0].permute(1, 2, 0).flatten().tolist())).decode()
    figure = EyeAttention(look=look, span=7.0, picture=picture, stem=base64.b64encode(struct.pack("<480f", *stem)).decode())

    seen = eye[0].double() / 255
    for y in range(48):
        for x in range(48):
            bump = math.exp(-((y - MIDDLE[0]) ** 2 + (x - MIDDLE[1]) ** 2) / (7 / 3) ** 2)
            for c in range(3):
                seen[c, y, x] = min(1.0, max(0.0, seen[c, y, x].item() + COLORS[look][c] * bump))
    with torch.no_grad():
        expected = network.look.attention(network.stem(seen[None] - 0.5))[0, 0]
    torch.testing.assert_close(figure.weights(), expected, rtol=0, atol=1e-5)


def test_the_weight_at_the_lesion_is_of_its_places():
    now = EyeAttention(span=20.0).readout()
    there = [w for k, w in enumerate(now["weights"]) if math.hypot(4 * (k // 12) - MIDDLE[0], 4 * (k % 12) - MIDDLE[1]) <= 10]
    assert 15 < len(there) < 25 and now["at_lesion"] == pytest.approx(sum(there) / len(there))
    assert now["share"] == pytest.approx(math.pi * 100 / 48**2)
    assert EyeAttention(span=1.0).readout()["at_lesion"] == EyeAttention(span=1.0).readout()["weights"][4 * 12 + 7]


def test_the_slider_makes_it_larger_and_the_choice_dark(open_page):
    figure = EyeAttention()
    page = open_page(figure)
    page.get_by_role("slider", name="pixels across the lesion").press("End")
    assert agree(figure, values(page))["span"] == 20
    page.get_by_role("radio", name="dark lesion").press("Space")
    assert agree(figure, values(page))["look"] == "dark"


def test_what_it_refuses():
    nan = base64.b64encode(struct.pack("<480f", *[float("nan")] * 480)).decode()
    for wrong in ({"span": 0.5}, {"look": "gray"}, {"picture": "AAAA"}, {"stem": 3}, {"stem": nan}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            EyeAttention(**wrong)
    assert "5 pixels, 0.9 % of the picture" in EyeAttention().describe()
