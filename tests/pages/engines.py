"""Two more browser engines, Firefox and WebKitGTK, under one small client.

Both speak the commands of W3C WebDriver: Firefox over a socket of its own (Marionette), WebKitGTK through WebKitWebDriver over HTTP.
No driver package knows both without a download of its own, and ten commands are all that the tests need.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PATIENCE = 60  # s; a busy machine is slow, and that is no defect of the page
COMMANDS = {  # name -> method and path of the same command over HTTP
    "Navigate": ("POST", "url"),
    "ExecuteScript": ("POST", "execute/sync"),
    "PerformActions": ("POST", "actions"),
    "SwitchToFrame": ("POST", "frame"),
    "SetWindowRect": ("POST", "window/rect"),
}
KEYS = {"Backspace": "\ue003", "Enter": "\ue007", "Escape": "\ue00c", "ArrowLeft": "\ue012", "ArrowRight": "\ue014"}
NOWHERE = ("127.0.0.1", 9)  # a proxy that nobody serves: no page reaches beyond this machine
PREFERENCES = {
    "marionette.port": 0,  # any; the profile then says which
    "remote.prefs.recommended": True,  # what keeps Firefox from asking and updating under test
    "network.proxy.type": 1,
    "network.proxy.http": NOWHERE[0],
    "network.proxy.http_port": NOWHERE[1],
    "network.proxy.ssl": NOWHERE[0],
    "network.proxy.ssl_port": NOWHERE[1],
    "ui.useOverlayScrollbars": 1,  # as on a phone: no bar takes from the width
}
MINI_BROWSERS = ["usr/lib/*/webkit*gtk-*/MiniBrowser", "usr/lib*/webkit*gtk-*/MiniBrowser", "usr/libexec/webkit*gtk-*/MiniBrowser"]


class Missing(Exception):
    """The engine is not on this machine; the message says what to install."""


def wait_until(ready, what: str):
    end = time.monotonic() + PATIENCE
    while not (found := ready()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)
    return found


def program(*names: str, package: str) -> str:
    """The first of the programs that is there; a name may be a pattern under ``/``."""
    for name in names:
        found = shutil.which(name) if "/" not in name else next(map(str, Path("/").glob(name)), None)
        if found:
            return found
    raise Missing(f"no {Path(names[0]).name} found (Debian: apt-get install {package})")


@contextmanager
def running(*command: str, **options) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Marionette:
    """Firefox: messages of the form ``length:[0, number, command, parameters]``, answers ``length:[1, number, error, result]``."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.stream, self.count = self.socket.makefile("rb"), 0
        self.receive()  # it greets
        self.send("NewSession", {})

    def receive(self):
        size = b""
        while not size.endswith(b":"):
            size += self.stream.read(1)
        return json.loads(self.stream.read(int(size[:-1])))

    def send(self, command: str, parameters: dict):
        self.count += 1
        message = json.dumps([0, self.count, f"WebDriver:{command}", parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.receive()
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result.get("value") if isinstance(result, dict) else result

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


class WebDriver:
    """WebKitGTK: the commands as HTTP requests."""

    def __init__(self, port: int, capabilities: dict):
        self.root = f"http://127.0.0.1:{port}/session"
        # Requests to this machine take no proxy that the environment names.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.root += "/" + self.request("POST", "", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]

    def request(self, method: str, path: str, parameters: dict):
        data = json.dumps(parameters).encode() if method == "POST" else None
        request = urllib.request.Request(f"{self.root}{path}", data, {"Content-Type": "application/json"}, method=method)
        try:
            with self.opener.open(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()}") from None

    def send(self, command: str, parameters: dict):
        method, path = COMMANDS[command]
        return self.request(method, f"/{path}", parameters)

    def close(self) -> None:
        self.request("DELETE", "", {})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def firefox(folder: Path) -> Iterator[Marionette]:
    """A headless Firefox with a new profile in ``folder``."""
    path = program("firefox-esr", "firefox", package="firefox-esr")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
    told = folder / "MarionetteActivePort"
    with running(path, "--headless", "--marionette", "--no-remote", "--profile", str(folder), env={**os.environ, "HOME": str(folder)}):
        wait_until(lambda: told.exists() and told.read_text(), "the port of Firefox")
        client = Marionette(int(told.read_text()))
        try:
            yield client
        finally:
            client.close()


@contextmanager
def webkit(folder: Path) -> Iterator[WebDriver]:
    """WebKitGTK in its MiniBrowser on a display of its own."""
    driver = program("WebKitWebDriver", package="webkit2gtk-driver")
    browser = program(*MINI_BROWSERS, package="webkit2gtk-driver")
    display = program("Xvfb", package="xvfb")
    port = free_port()
    with ExitStack() as stack:
        reads, writes = os.pipe()
        screen = ["-screen", "0", "1400x1000x24", "-nolisten", "tcp", "-displayfd", str(writes)]
        stack.enter_context(running(display, *screen, pass_fds=[writes]))
        os.close(writes)
        with open(reads, encoding="ascii") as told:
            number = told.readline().strip()
        environment = {**os.environ, "DISPLAY": f":{number}", "HOME": str(folder), "NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11"}
        environment.pop("WAYLAND_DISPLAY", None)
        stack.enter_context(running(driver, f"--port={port}", env=environment))

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, "WebKitWebDriver")
        options = {"binary": browser, "args": ["--automation"]}
        nowhere = f"{NOWHERE[0]}:{NOWHERE[1]}"
        proxy = {"proxyType": "manual", "httpProxy": nowhere, "sslProxy": nowhere}
        client = WebDriver(port, {"webkitgtk:browserOptions": options, "proxy": proxy})
        stack.callback(client.close)
        yield client


class Page:
    """What a reader does with a page, in either engine."""

    def __init__(self, client: Marionette | WebDriver):
        self.client = client

    def open(self, address: str) -> None:
        self.client.send("Navigate", {"url": address})

    def run(self, script: str, *arguments):
        """The value of a JavaScript expression of ``a``, the list of arguments."""
        return self.client.send("ExecuteScript", {"script": f"const a = [...arguments]; return ({script});", "args": list(arguments)})

    def wait(self, script: str, *arguments):
        return wait_until(lambda: self.run(script, *arguments), script)

    def act(self, kind: str, steps: list[dict], **more) -> None:
        self.client.send("PerformActions", {"actions": [{"type": kind, "id": kind, "actions": steps, **more}]})

    def press(self, key: str) -> None:
        value = KEYS.get(key, key)
        self.act("key", [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}])

    def mouse(self, *points: tuple[float, float], held: bool = False) -> None:
        """The mouse goes from point to point; ``held``: its button is down from the first to the last."""
        moves = [{"type": "pointerMove", "duration": 0, "origin": "viewport", "x": round(x), "y": round(y)} for x, y in points]
        if held:
            moves = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        self.act("pointer", moves, parameters={"pointerType": "mouse"})

    def center(self, selector: str, i: int = 0) -> tuple[float, float]:
        """Where an element is on the screen, once it has been scrolled to the middle."""
        self.run("document.querySelectorAll(a[0])[a[1]].scrollIntoView({block: 'center', behavior: 'instant'})", selector, i)
        box = "document.querySelectorAll(a[0])[a[1]].getBoundingClientRect()"
        left, top, width, height = self.run(f"(b => [b.left, b.top, b.width, b.height])({box})", selector, i)
        return left + width / 2, top + height / 2

    def click(self, selector: str, i: int = 0) -> None:
        self.mouse(self.center(selector, i), held=True)

    def size(self, width: int, height: int) -> None:
        self.client.send("SetWindowRect", {"width": width, "height": height})

    def frame(self, i: int | None) -> None:
        """Go into the i-th frame of the page; None: back to the page."""
        self.client.send("SwitchToFrame", {"id": i})


ENGINES = {"firefox": firefox, "webkit": webkit}
