"""Finds the files of a folder of `data/`, and refuses any whose checksum is not the recorded one."""

import hashlib
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


class Archive:
    """The files of `data/NAME`: in the repository, in a folder of the user's, or downloaded once into a cache.

    Args:
        name: the folder in `data/`.
        registry: the checksums, a file of the package with one `file sha256:digest` a line (pooch's format).
        rebuild: the command that makes the files anew, for the errors.
        folder: where the files are; by default the repository, else a cache.
    """

    def __init__(self, name: str, registry: Path, *, rebuild: str, folder: str | Path | None = None):
        self.name = name
        self.registry = dict(line.split(" ") for line in registry.read_text("utf-8").splitlines())
        self.rebuild = f"Rebuild it in a clone of the repository: {rebuild}"
        in_repository = REPOSITORY / "data" / name
        if folder is None and in_repository.is_dir():
            folder = in_repository
        self.folder = None if folder is None else Path(folder)

    def read(self, file: str) -> bytes:
        """The bytes of one file, checked at every call: hashing the whole emoji set takes some hundredths of a second."""
        path = self._download(file) if self.folder is None else self.folder / file
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; expected a file with {self.registry[file]}. {self.rebuild}")
        content = path.read_bytes()
        found = "sha256:" + hashlib.sha256(content).hexdigest()
        if found != self.registry[file]:
            raise ValueError(f"{path} is damaged: expected {self.registry[file]}, found {found}. {self.rebuild}")
        return content

    def _download(self, file: str) -> Path:
        import pooch  # not needed by those who work in a clone

        cache = pooch.create(
            path=pooch.os_cache("rankbook") / self.name,
            # The archive is frozen: another set would get another folder, so `main` always serves these bytes.
            base_url=f"{_repository_address()}/raw/main/data/{self.name}/",
            registry=self.registry,
        )
        return Path(cache.fetch(file))


def _repository_address() -> str:
    """The address that pyproject.toml gives, in whose installed copy each line reads `Label, address`."""
    urls = dict(url.split(", ", 1) for url in metadata.metadata("rankbook").get_all("Project-URL"))
    return urls["Repository"].removesuffix("/")
