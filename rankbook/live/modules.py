"""Joins the JavaScript modules of ``rankbook/live/js`` into scripts, without a JavaScript tool.

A notebook widget takes one self-contained module, and a page opened from ``file://`` loads no module at all. So each
file becomes a function that returns its exports, and files that it imports come first::

    import { sigmoid } from "./math.js";        const math = (() => { ...; return { sigmoid }; })();
    export default figure({ ... });             const strip = (() => { const { sigmoid } = math; ...; return figure({ ... }); })();

``core`` is what every figure needs, ``figures`` has one file a figure, ``shared`` what some figures need, ``questions`` what asks
the reader, ``pages`` what makes a page of its own. No two files have the same name, and none exports its own name.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
#: The folders whose files become scripts of their own, beside ``core.js``.
LOADED = ("shared", "figures", "questions", "pages")
CSS = (FOLDER / "core" / "live.css").read_text(encoding="utf-8")

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\.\.?/(?:\w+/)?(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const) (\w+))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_LEFTOVER = re.compile(r"^\s*(?:import|export)\b.*", re.MULTILINE)


def modules(kind: str) -> list[str]:
    """The names of the modules of a kind: "core", or one of `LOADED`."""
    return sorted(path.stem for path in (FOLDER / kind).glob("*.js"))


def module(name: str) -> tuple[list[str], str]:
    """What the module ``name`` imports, and the body of the function of those modules that returns what it exports."""
    source, exported = _source(name), _exports(name)
    body = _IMPORT.sub(r"const {\1} = \2;\n", source)
    body, defaults = _DEFAULT.subn("return ", _EXPORT.sub("", body))
    if leftover := _LEFTOVER.search(body):
        raise ValueError(
            f'{name}.js: cannot join {leftover.group().strip()!r}; write `import {{ a, b }} from "../core/file.js";`, '
            "`export function`, `export const`, or one `export default` at the end"
        )
    for names, needed in _IMPORT.findall(source):
        for one in names.replace(",", " ").split():
            if one not in _exports(needed):
                raise ValueError(f"{name}.js: {needed}.js exports no {one}; each `export const` names one thing, and only that")
    if not defaults:
        body += f"return {{ {', '.join(exported)} }};\n"
    return [needed for _, needed in _IMPORT.findall(source)], body


def _source(name: str) -> str:
    (path,) = FOLDER.rglob(f"{name}.js")
    return path.read_text(encoding="utf-8")


def _exports(name: str) -> list[str]:
    return _EXPORT.findall(_source(name))


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
    needed, body = module(name)
    for other in needed:
        _add(other, done)
    done[name] = f"const {name} = (() => {{\n{body}}})();"
