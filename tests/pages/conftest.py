"""The built book, served over http or opened from file://, and a page that remembers what went wrong on it."""

import functools
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pages_of_book import HTML


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[dict[str, str]]:
    """The two addresses of the built book, by scheme."""
    if not (HTML / "index.html").exists():
        pytest.fail("the book is not built; run `make book` first")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(HTML))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"http": f"http://127.0.0.1:{server.server_address[1]}", "file": HTML.as_uri()}
        server.shutdown()


@dataclass
class Watch:
    """What one page did while it was open."""

    base: str
    errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    transferred: int = 0

    def follow(self, page) -> None:
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: None if self.is_ours(request.url) else self.outside.append(request.url))
        page.on("requestfailed", lambda request: self.missing.append(request.url))
        page.on("response", self.count)

    def is_ours(self, address: str) -> bool:
        return address.startswith((self.base, "data:", "blob:"))

    def count(self, response) -> None:
        if response.status >= 400:
            self.missing.append(response.url)
        self.transferred += int(response.headers.get("content-length", 0))


@pytest.fixture
def open_page(browser, site):
    """open_page(document, scheme="http", **context) -> (page, watch): the loaded page, at 1200 px unless told otherwise."""
    contexts = []

    def go(document: str, scheme: str = "http", **options):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(60_000)  # a busy machine loads a page slowly; that is no defect of the page
        page, watch = context.new_page(), Watch(site[scheme])
        watch.follow(page)
        page.goto(f"{site[scheme]}/{document}.html", wait_until="load")
        return page, watch

    yield go
    for context in contexts:
        context.close()
