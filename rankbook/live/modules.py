"""Joins the JavaScript modules of ``rankbook/live/js`` into one script, without a JavaScript tool.

A notebook widget takes one self-contained module, and a page opened from ``file://`` loads no module at all. So each
file becomes a function that returns its exports, and files that it imports come first::

    import { sigmoid } from "./math.js";        const math = (() => { ...; return { sigmoid }; })();
    export default figure({ ... });             const strip = (() => { const { sigmoid } = math; ...; return figure({ ... }); })();
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
CSS = (FOLDER / "live.css").read_text(encoding="utf-8")

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:function|const) (\w+))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_LEFTOVER = re.compile(r"^\s*(?:import|export)\b.*", re.MULTILINE)


def figure_modules() -> list[str]:
    """The names of the modules that define a figure, that is, have a default export."""
    return sorted(path.stem for path in FOLDER.glob("*.js") if _DEFAULT.search(path.read_text(encoding="utf-8")))


def join(names: list[str]) -> str:
    """The modules ``names`` and all that they import, each once, as constants of the same names."""
    done: dict[str, str] = {}
    for name in names:
        _add(name, done)
    return "\n".join(done.values())


def widget_module(name: str) -> str:
    """The self-contained ES module that anywidget loads."""
    return f"{join([name])}\nexport default {name};\n"


def _add(name: str, done: dict[str, str]) -> None:
    if name in done:
        return
    source = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    for _, needed in _IMPORT.findall(source):
        _add(needed, done)
    exported = _EXPORT.findall(source)
    body = _IMPORT.sub(r"const {\1} = \2;\n", source)
    body, defaults = _DEFAULT.subn("return ", _EXPORT.sub("", body))
    if leftover := _LEFTOVER.search(body):
        raise ValueError(
            f'{name}.js: cannot join {leftover.group().strip()!r}; write `import {{ a, b }} from "./file.js";`, '
            "`export function`, `export const`, or one `export default` at the end"
        )
    if not defaults:
        body += f"return {{ {', '.join(exported)} }};\n"
    done[name] = f"const {name} = (() => {{\n{body}}})();"
