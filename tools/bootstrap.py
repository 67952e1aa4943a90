"""Make `.venv` and install the pinned set into it; do nothing if it is already there.

Run `python3 tools/bootstrap.py`. Standard library only, and written so that an old Python can still parse it and say what is wrong.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "rankbook-installed.txt")
NEEDED_PYTHON = (3, 11)
NEEDED_DISK_GB = 4  # a CPU-only environment takes 1.8 GB, pip's cache and temporary files as much again

# What pip prints -> what the reader can do about it.
ADVICE = [
    (
        ("No space left on device", "Disk quota exceeded"),
        "The disk is full. Free about {disk} GB (`pip cache purge` helps) and run the same command again.",
    ),
    (
        ("name resolution", "NewConnectionError", "Connection refused", "timed out", "ProxyError", "getaddrinfo", "is unreachable"),
        "The package index could not be reached. Check the network (behind a proxy, HTTPS_PROXY), then run the same command again.",
    ),
    (
        ("SSLError", "CERTIFICATE_VERIFY_FAILED"),
        "The package index was reached, but its certificate was not accepted. Behind a company proxy, point PIP_CERT to its certificate.",
    ),
    (
        ("No matching distribution found", "Could not find a version"),
        "The index has no such package for this Python ({python}) on this system. Try another one: make PYTHON=python3.12 book.",
    ),
    (
        ("Permission denied",),
        "pip may not write here. Clone the project into a folder of your own; do not use sudo.",
    ),
]


def stop(message):
    sys.exit("\nrankbook: " + message)


def venv_python():
    return os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")


def fingerprint():
    """Of everything that decides what is installed: the pins, our own metadata, the interpreter."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.txt", "pyproject.toml", "setup.py"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def is_current(wanted):
    try:
        with open(STAMP) as file:
            return file.read().strip() == wanted and subprocess.call([venv_python(), "-c", ""]) == 0
    except OSError:
        return False


def check_python():
    if sys.version_info >= NEEDED_PYTHON:
        return
    newer = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    how = "You have {0}: run `make PYTHON={0} book`.".format(newer[0]) if newer else "Install a newer one, then run the same command again."
    stop("Python {}.{} or newer is needed; this is {} ({}). {}".format(*NEEDED_PYTHON, sys.version.split()[0], sys.executable, how))


def check_venv_module():
    try:
        import ensurepip  # noqa: F401 (Debian splits it off; `venv` alone imports, and then fails half-way)
        import venv  # noqa: F401
    except ImportError as error:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        stop("this Python cannot make virtual environments ({}). On Debian or Ubuntu: sudo apt install {}".format(error, package))


def check_disk():
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_DISK_GB:
        stop("only {:.1f} GB are free in {}; about {} GB are needed. Free some space and run again.".format(free, ROOT, NEEDED_DISK_GB))


def run_pip(arguments):
    """Run pip in the environment; show what it downloads; explain a failure."""
    command = [venv_python(), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    process = subprocess.Popen(command + arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.lstrip().startswith(("Downloading", "Installing collected", "Building")):
            print("  " + line.strip()[:110], flush=True)
    if process.wait() == 0:
        return
    print("".join(lines[-25:]))
    printed = "".join(lines)
    for signs, advice in ADVICE:
        if any(sign in printed for sign in signs):
            stop(advice.format(disk=NEEDED_DISK_GB, python=sys.version.split()[0]))
    stop("pip failed; its last lines stand above. Remove the folder .venv and run the same command again.")


def main():
    check_python()
    wanted = fingerprint()
    if is_current(wanted):
        return
    check_venv_module()
    check_disk()
    print("rankbook: installing the pinned packages into .venv (once; a few minutes)", flush=True)
    # An environment of another interpreter, or a half-made one, is made anew; a good one is updated in place.
    same_python = "import pip, sys; sys.exit(sys.version != {!r})".format(sys.version)
    if not os.path.exists(venv_python()) or subprocess.call([venv_python(), "-c", same_python], stderr=subprocess.DEVNULL):
        import venv

        try:
            venv.create(VENV, with_pip=True, clear=True)
        except (OSError, subprocess.CalledProcessError) as error:
            stop("could not make {}: {}. Check the free space and the permissions of the folder.".format(VENV, error))
    run_pip(["-r", "requirements.txt"])
    with open(STAMP + ".part", "w") as file:
        file.write(wanted + "\n")
    os.replace(STAMP + ".part", STAMP)
    print("rankbook: installed", flush=True)


if __name__ == "__main__":
    main()
