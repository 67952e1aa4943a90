"""With this folder on PYTHONPATH, a Python process reaches neither the network nor the sources of this clone: as at a reader's.

Python imports `sitecustomize` at its start, in child processes too.
"""

import os
import sys
from typing import Any

CLONE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = tuple(os.path.join(CLONE, folder) + os.sep for folder in ("rankbook", "data"))
HERE = {"", "127.0.0.1", "::1", "localhost", "0.0.0.0"}


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir"):
        path = arguments[0]
        if event == "open" and arguments[1] is None and not os.path.isabs(path):
            return  # os.open, perhaps within an open folder (shutil.rmtree): where the path begins is not told
        if isinstance(path, (str, bytes)) and (os.path.abspath(os.fsdecode(path)) + os.sep).startswith(SOURCES):
            raise RuntimeError(f"{path!r} is read, but an installed package has no clone beside it")
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in HERE:
            raise ConnectionRefusedError(f"{address} is asked for, but there is no network here")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = os.fsdecode(arguments[0] or "")
        if host not in HERE:
            raise ConnectionRefusedError(f"{host} is asked for, but there is no network here")


sys.addaudithook(guard)
