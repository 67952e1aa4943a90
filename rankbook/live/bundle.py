"""Writes the scripts that bring the live figures of the static pages to life.

``python -m rankbook.live.bundle OUTDIR`` writes ``OUTDIR/live.css`` and ``OUTDIR/core.js``, which a page with a figure names in
its head, and beside them one script for each figure and each module that some figures share: ``core.js`` loads them when a figure
comes near. All are classic scripts: they also work from ``file://``, where a browser loads no ES modules. Same sources, same bytes;
an unchanged file keeps its date. It needs rjsmin, which comes with ``pip install "rankbook[book]"``.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import rjsmin

from rankbook.files import sha256, write_whole
from rankbook.live.modules import CSS, LOADED, join, module, modules

_CSS_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)


def scripts() -> dict[str, str]:
    """File name -> text, without the comments and the layout of the sources."""
    own = {name: _definition(name) for kind in LOADED for name in modules(kind)}
    version = sha256("".join(own.values()).encode())[-6:]
    core = modules("core")
    start = f"page.start({{ {', '.join(core)} }}, {json.dumps(' '.join([version, *own]))});"
    text = f'(() => {{\n"use strict";\n{join(core)}\n{start}\n}})();\n'
    return {"core.js": rjsmin.jsmin(text)} | {f"{name}.js": own[name] for name in own}


def write_bundle(folder: Path) -> list[Path]:
    """Write the style sheet and the scripts into ``folder`` (made if missing) and return their paths."""
    targets = []
    for name, text in ({"live.css": _CSS_COMMENT.sub("", CSS)} | scripts()).items():
        target, written = folder / name, text.encode()
        if not target.exists() or target.read_bytes() != written:
            write_whole(target, written)
        targets.append(target)
    return targets


def _definition(name: str) -> str:
    needed, body = module(name)
    return rjsmin.jsmin(f'"use strict";\nrankbook.define("{name}", {json.dumps(needed)}, ({", ".join(needed)}) => {{\n{body}}});\n')


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m rankbook.live.bundle", description="Write what the live figures need.")
    parser.add_argument("outdir", type=Path, help="folder for live.css, core.js and the others")
    for path in write_bundle(parser.parse_args().outdir):
        print(f"{path}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
