"""Execute chapters and store normalised outputs, so that a second run gives an empty diff.

    python tools/refresh_notebooks.py                  # every notebook in book/
    python tools/refresh_notebooks.py book/no_gradient.ipynb

What changes from run to run is removed: timings, widget state, the way a stream was cut in pieces. What is left is what nbval compares.
"""

import argparse
import asyncio
import base64
import io
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from book_seals import seal
from setup_cell import SETUP

ROOT = Path(__file__).resolve().parents[1]
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
WIDGET_TYPES = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")
# One thread and a fixed hash seed: the same sums in the same order on every machine.
KERNEL_ENV = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TQDM_DISABLE": "1"}
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?")


def merge_streams(outputs: list) -> list:
    """Join neighbouring pieces of one stream: where the kernel cut it is a race."""
    merged = []
    for output in outputs:
        if output.output_type == "stream" and merged and merged[-1].output_type == "stream" and merged[-1].name == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def drop_widgets(outputs: list) -> list:
    """The page shows an output's text/html or picture; an output that is only a widget view has nothing to show without a kernel."""
    kept = []
    for output in outputs:
        data = output.get("data")
        if data is not None and any(data.pop(kind, None) for kind in WIDGET_TYPES) and not set(data) - {"text/plain"}:
            continue
        kept.append(output)
    return kept


def compact_pictures(outputs: list) -> list:
    """Pictures with a palette of 256 colors, some of them transparent: a page loads a third of the bytes, the eye sees no difference."""
    for output in outputs:
        data = output.get("data", {})
        if "image/png" in data:
            png = base64.b64decode(data["image/png"])
            packed = io.BytesIO()
            picture = Image.open(io.BytesIO(png)).convert("RGBA")
            if picture.getextrema()[3] == (255, 255):  # white stays white: in the dark it turns to the black that disappears
                palette = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
            else:
                palette = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            palette.save(packed, "PNG", optimize=True)
            if len(packed.getvalue()) < len(png):
                data["image/png"] = base64.b64encode(packed.getvalue()).decode()
    return outputs


def normalise(notebook: nbformat.NotebookNode) -> None:
    for position, cell in enumerate(notebook.cells):
        if cell.get("id") == "setup":
            cell.source = SETUP
        if RANDOM_ID.fullmatch(cell.get("id", "")):
            cell.id = f"cell-{position:02d}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = compact_pictures(drop_widgets(merge_streams(cell.outputs)))
    seal(notebook.cells, pictures=True)
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def refresh(path: Path) -> bool:
    """Execute and store one notebook; tell whether the file changed."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    notebook.metadata = nbformat.from_dict(METADATA)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    normalise(notebook)
    nbformat.validate(notebook)
    after = nbformat.writes(notebook) + "\n"
    if after == before:
        return False
    part = path.with_suffix(".part")
    part.write_text(after, encoding="utf-8", newline="\n")
    part.replace(path)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every notebook in book/")
    notebooks = parser.parse_args().notebooks or sorted((ROOT / "book").glob("*.ipynb"))
    os.environ.update(KERNEL_ENV)
    os.environ.pop("MPLBACKEND", None)  # the kernel chooses the inline backend
    if sys.platform == "win32":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    failed = 0
    for path in notebooks:
        start = time.perf_counter()
        try:
            changed = refresh(path)
        except CellExecutionError as error:
            print(f"{path}: a cell failed, the file is left as it was\n{error}", file=sys.stderr)
            failed += 1
            continue
        print(f"{path}: {'changed' if changed else 'unchanged'}, {time.perf_counter() - start:.0f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
