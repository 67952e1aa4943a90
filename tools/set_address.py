"""Give the project another address: rewrite every file that repeats the one in pyproject.toml.

    python tools/set_address.py https://github.com/OWNER/REPOSITORY

The book's pages follow: the workflow publishes them at GitHub's address for the pages of that repository. A second run changes nothing.
"""

import os
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FORM = re.compile(r"https://github\.com/([\w-]+)/([\w-]+?)(?:\.git)?/?")
KINDS = {".bib", ".cff", ".css", ".csv", ".html", ".ipynb", ".js", ".json", ".md", ".py", ".svg", ".toml", ".txt", ".yml", ""}
LEFT_ALONE = {"_build", "build", "__pycache__"}


def texts(root: Path) -> list[Path]:
    """Every text file of the project; what is made, and hidden folders but .github and .ci, is left out."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [one for one in folders if one not in LEFT_ALONE and (one[0] != "." or one in (".github", ".ci"))]
        found += [Path(folder, file) for file in files if Path(file).suffix in KINDS and not file.startswith(".")]
    return sorted(found)


def pages(owner: str, name: str) -> str:
    return f"{owner.lower()}.github.io/{name}"


def rewrite(root: Path, address: str) -> list[Path]:
    """Replace the old address by a new one everywhere; returns the files that changed."""
    new = FORM.fullmatch(address)
    if new is None:
        raise ValueError(f"the address must be https://github.com/OWNER/REPOSITORY (letters, digits, - and _), got {address!r}")
    project = root / "pyproject.toml"
    old = FORM.fullmatch(tomllib.loads(project.read_text("utf-8"))["project"]["urls"]["Repository"])
    slug = re.compile(rf"(github\.com/|/github/|/gh/){re.escape('/'.join(old.groups()))}(?![\w-])")
    site = re.compile(rf"{re.escape(pages(*old.groups()))}(?![\w-])")
    changed = []
    # pyproject.toml comes last: whoever is interrupted runs the command again, and the old address still stands there.
    for path in sorted(texts(root), key=lambda path: path == project):
        before = path.read_bytes().decode()
        after = site.sub(pages(*new.groups()), slug.sub(rf"\g<1>{'/'.join(new.groups())}", before))
        if after != before:
            path.write_bytes(after.encode())
            changed.append(path)
    return changed


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        changed = rewrite(ROOT, sys.argv[1])
    except ValueError as error:
        sys.exit(f"rankbook: {error}")
    for path in changed:
        print(path.relative_to(ROOT).as_posix())
    print(f"rankbook: {len(changed)} files changed; `make test` proves that no other address is left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
