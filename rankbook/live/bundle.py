"""Writes the scripts that bring the live figures of the static pages to life.

``python -m rankbook.live.bundle OUTDIR`` writes ``OUTDIR/core.js``, which a page with a figure loads, and beside it one script
for each figure and each module that some figures share: ``core.js`` loads them when a figure comes near. All are classic
scripts: they also work from ``file://``, where a browser loads no ES modules. Same sources, same bytes; an unchanged file
keeps its date.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from rankbook.files import sha256, write_whole
from rankbook.live.modules import CSS, LOADED, join, module, modules

_CSS_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
# Where no string goes over the end of a line (a test sees to it), what a line begins with is layout.
_LAYOUT = re.compile(r"^\s*(?://.*\n\s*)*", re.MULTILINE)


def scripts() -> dict[str, str]:
    """File name -> text, without the comments and the indentation of the sources."""
    own = {name: _definition(name) for kind in LOADED for name in modules(kind)}
    versions = {name: sha256(text.encode())[-8:] for name, text in own.items()}
    core = modules("core")
    start = f"page.start({{ {', '.join(core)} }}, {json.dumps(versions)}, {json.dumps(_CSS_COMMENT.sub('', CSS))});"
    return {"core.js": _squeeze(f'(() => {{\n"use strict";\n{join(core)}\n{start}\n}})();\n')} | {f"{name}.js": own[name] for name in own}


def write_bundle(folder: Path) -> list[Path]:
    """Write the scripts into ``folder`` (made if missing) and return their paths."""
    targets = []
    for name, text in scripts().items():
        target, script = folder / name, text.encode()
        if not target.exists() or target.read_bytes() != script:
            write_whole(target, script)
        targets.append(target)
    return targets


def _definition(name: str) -> str:
    needed, body = module(name)
    return _squeeze(f'"use strict";\nrankbook.define("{name}", {json.dumps(needed)}, ({", ".join(needed)}) => {{\n{body}}});\n')


def _squeeze(script: str) -> str:
    return _LAYOUT.sub("", script)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m rankbook.live.bundle", description="Write the scripts of the live figures.")
    parser.add_argument("outdir", type=Path, help="folder for core.js and the others")
    for path in write_bundle(parser.parse_args().outdir):
        print(f"{path}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
