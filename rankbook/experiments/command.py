"""How every command line here ends when the reader's folder, file, option or package is not as it must be, and when the reader stops."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told(parser: argparse.ArgumentParser) -> Iterator[None]:
    """An error of values, files or packages becomes a line of the parser, with its notes, and no traceback; Ctrl-C says how to go on.

    >>> import argparse
    >>> from rankbook.experiments.command import told
    >>> with told(argparse.ArgumentParser("it", exit_on_error=False)):
    ...     print("all is well")
    all is well
    """
    try:
        yield
    except BrokenPipeError:  # who read the output has left, such as `head`; nothing is wrong, and Python's last flush shall not say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        parser.exit(1)
    except (ValueError, OSError, ImportError) as error:
        parser.error("\n".join([str(error), *getattr(error, "__notes__", ())]))
    except KeyboardInterrupt:
        parser.exit(130, "\ninterrupted; what was done is stored, and the same command goes on\n")
