"""Writes the one script that brings all live figures of the static pages to life.

``python -m rankbook.live.bundle OUTDIR`` writes ``OUTDIR/rankbook.js``, a classic script: it also works from ``file://``,
where a browser loads no ES modules. Same sources, same bytes; an unchanged file keeps its date.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from pathlib import Path

from rankbook.live.modules import CSS, figure_modules, join

# Where no string goes over the end of a line (a test sees to it), what a line begins with is layout.
_LAYOUT = re.compile(r"^\s*(?://.*\n\s*)*", re.MULTILINE)


def bundle() -> str:
    """The script as text, without the comment lines and the indentation of its sources."""
    figures = figure_modules()
    script = f'"use strict";\n{join([*figures, "page"])}\npage.start({{ {", ".join(figures)} }}, {json.dumps(CSS)});\n'
    return f"(() => {{\n{_LAYOUT.sub('', script)}}})();\n"


def write_bundle(folder: Path) -> Path:
    """Write ``rankbook.js`` into ``folder`` (made if missing) and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target, script = folder / "rankbook.js", bundle().encode("utf-8")
    if target.exists() and target.read_bytes() == script:
        return target
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(script)
        os.chmod(temporary, 0o644)  # mkstemp makes it private; a web server must read it
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m rankbook.live.bundle", description="Write the script of the live figures.")
    parser.add_argument("outdir", type=Path, help="folder for rankbook.js")
    path = write_bundle(parser.parse_args().outdir)
    print(f"{path}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
