"""In a real JupyterLab the traits follow both ways, linked figures move together, and a question locks, accepts and explains."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytest.importorskip("jupyterlab", reason="needs JupyterLab (the extra `book`)")
nbformat = pytest.importorskip("nbformat")

PATIENCE = 90  # seconds, for a busy machine


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (result := condition()) not in (None, False):
            return result
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE} s for {what}")


@pytest.fixture
def lab(browser, tmp_path):  # the browser first: without one no server is started
    """A JupyterLab of its own, away from the user's settings: (address, folder of the runtime files)."""
    cell = "\n".join(
        [
            "from rankbook.live import Predict, RankStrip, ScoreSweep",
            "strip, sweep = RankStrip(link='list'), ScoreSweep(link='list')",
            "display(strip, Predict('How many?', answer=3, reveal='There are three.'), sweep)",
        ]
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (tmp_path / "work").mkdir()
    nbformat.write(notebook, tmp_path / "work" / "live.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    runtime = tmp_path / "runtime"
    paths = {"JUPYTER_RUNTIME_DIR": runtime, "JUPYTER_CONFIG_DIR": tmp_path / "config", "IPYTHONDIR": tmp_path / "ipython"}
    paths |= {"JUPYTERLAB_SETTINGS_DIR": tmp_path / "settings", "JUPYTERLAB_WORKSPACES_DIR": tmp_path / "workspaces"}
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    with (tmp_path / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                *options,
                "--ServerApp.port_retries=0",
                f"--ServerApp.root_dir={tmp_path / 'work'}",
                "--allow-root",
            ],
            env={**os.environ, **{name: str(path) for name, path in paths.items()}},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"

    def ready():
        assert server.poll() is None, (tmp_path / "lab.log").read_text()
        try:
            return urllib.request.urlopen(f"{address}/api/status", timeout=2).status == 200
        except OSError:
            return False

    try:
        wait_for(ready, "JupyterLab to start")
        yield address, runtime
    finally:
        server.terminate()  # ends its kernels too
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def ask(client, code, expression="None"):
    """Run ``code`` in the notebook's kernel and return the JSON value of ``expression``."""
    question = {"answer": f"__import__('json').dumps({expression})"}
    reply = client.execute_interactive(
        code, user_expressions=question, store_history=False, timeout=PATIENCE, output_hook=lambda message: None
    )
    answer = reply["content"]["user_expressions"]["answer"]
    assert answer["status"] == "ok", answer
    return json.loads(eval(answer["data"]["text/plain"]))  # the repr of a string of JSON


def test_traits_follow_both_ways(browser, lab):
    from jupyter_client import BlockingKernelClient

    address, runtime = lab
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(f"{address}/lab/tree/live.ipynb?reset")
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").click()
    page.locator(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(state="attached")
    page.keyboard.press("Shift+Enter")
    page.locator(".rb-fig[data-values]").nth(1).wait_for()

    kernel = json.load(urllib.request.urlopen(f"{address}/api/kernels"))[0]["id"]
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{kernel}.json"))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)

        def shown():
            return json.loads(page.locator(".rb-fig[data-values]").first.get_attribute("data-values"))

        def agreed():
            """Kernel and page have come to the same numbers: returns them."""
            now, kernel_side = shown(), ask(client, "", "strip.readout()")
            same = now.keys() == kernel_side.keys() and all(now[name] == pytest.approx(value) for name, value in kernel_side.items())
            return same and now

        before = agreed()
        assert before

        # From the page to the kernel: drag item h to the right, then switch its relevance with the keyboard.
        handle = page.locator("[data-drag]").nth(7)
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 300, y, steps=8)
        page.mouse.up()
        assert shown()["scores"][7] > before["scores"][7] + 0.2
        after = wait_for(agreed, "the kernel to follow the drag")
        assert after["ranks"] != before["ranks"]
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowLeft")
        keyed = wait_for(agreed, "the kernel to follow the keyboard")
        assert keyed["relevance"][7] == 1
        assert keyed["scores"][7] == pytest.approx(after["scores"][7] - 0.01)

        # From the kernel to the page.
        ask(client, "strip.scores = [0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]; strip.k = 5")
        wait_for(lambda: shown()["k"] == 5 and shown()["scores"][0] == 0.8, "the figure to follow the kernel")
        assert agreed()
        assert page.locator("[data-drag]").first.get_attribute("aria-valuenow") == "0.8"

        # The figure of the same link came along, by the kernel.
        linked = json.loads(page.locator(".rb-fig[data-values]").nth(1).get_attribute("data-values"))
        assert linked["scores"] == shown()["scores"] and linked["relevance"] == shown()["relevance"]

        # A question takes the keys that the notebook would take.
        form = page.locator("form.rb-ask")
        form.get_by_role("textbox").fill("3")
        page.keyboard.press("Enter")
        assert form.get_attribute("data-state") == "right"
        assert "There are three." in form.locator(".rb-ask-said").text_content()
    finally:
        client.stop_channels()
        page.close()
