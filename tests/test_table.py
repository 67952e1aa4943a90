"""One table: the same rows as HTML for a page and as text for a terminal."""

import pandas as pd
import pytest

from rankbook.table import Table

ROWS = [["Smooth-AP <1>", "0.7222", "-0.02"], ["SupAP", "0.7556", "+0.31"]]


def test_text_and_html_hold_the_same_cells():
    bundle = Table(["loss", "AP", "gain"], ROWS, best={(1, 1)})._repr_mimebundle_()
    assert bundle["text/plain"].splitlines() == [
        "loss               AP   gain",
        "Smooth-AP <1>  0.7222  -0.02",
        "SupAP          0.7556  +0.31",
    ]
    html = bundle["text/html"]
    assert '<th scope="col">loss</th><th scope="col" class="rb-right">AP</th>' in html
    assert "<td>Smooth-AP &lt;1&gt;</td>" in html and '<td class="rb-right">\u22120.02</td>' in html
    assert html.count("<strong>") == 1 and "<strong>0.7556</strong>" in html


def test_a_frame_becomes_a_table():
    frame = pd.DataFrame({"AP": [0.72222, 0.7], "n": [3, 4]}, index=pd.Index(["a", "b"], name="loss"))
    table = Table.of(frame, "{:.2f}")
    assert (list(table.columns), list(table.rows)) == (["loss", "AP", "n"], [["a", "0.72", "3"], ["b", "0.70", "4"]])
    assert Table.of(frame, lambda value: f"<{value:g}>", index="which").rows[0] == ["a", "<0.72222>", "<3>"]
    assert Table.of(frame, index="which").columns[0] == "which"


@pytest.mark.parametrize("row", [["a"], ["a", "b", "c"], ["a", 1]])
def test_a_row_that_does_not_fit_is_named(row):
    with pytest.raises(ValueError, match=r"rows\[1\] must hold 2 texts"):
        Table(["x", "y"], [["a", "b"], row])


def test_a_stacked_table_names_the_column_in_every_cell():
    html = Table(["loss", "how to set <it>"], [["a", "by hand"]], stack=True)._repr_mimebundle_()["text/html"]
    assert html.count("rb-stack") == 1
    assert '<td data-head="loss">a</td><td data-head="how to set &lt;it&gt;">by hand</td>' in html
    assert "data-head" not in Table(["loss"], [["a"]])._repr_mimebundle_()["text/html"]
