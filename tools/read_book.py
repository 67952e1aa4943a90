"""Serve the built book on this machine and open it in the browser; stop with Ctrl-C."""

import functools
import http.server
import sys
import webbrowser
from pathlib import Path

HTML = Path(__file__).resolve().parents[1] / "_build" / "html"


def main() -> int:
    if not (HTML / "index.html").exists():
        print("rankbook: there is no built book yet; run `make book` first", file=sys.stderr)
        return 1
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        print(f"rankbook: reading at {address} (Ctrl-C stops)", flush=True)
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
