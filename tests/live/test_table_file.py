"""The reader of the page "Your scores": what it accepts, and every error that it can name, with its line."""

import random

from live.test_your_scores import READ

HEAD = "query,score,relevance\n"

#: text -> what the error says; each is a mistake of its own.
BAD = {
    "": "nothing to read; paste rows of query, score, relevance, or choose a file",
    " \n,,\n\n": "nothing to read",
    HEAD: "line 1 is a header, and no row follows",
    f"{HEAD}a,0.5,1\na,0.4,yes\n": 'line 3: relevance "yes" is not a number; use 0 and 1',
    f"{HEAD}a,0.5,1\n\n\na,half,0\n": 'line 5: score "half" is not a number; write it as 0.73',
    f'{HEAD}"a\nb",0.5,1\na,half,0\n': 'line 4: score "half" is not a number',  # a line break within quotes counts
    "a,0.5,1\na,nan,0\n": 'line 2: score "nan" is not finite; leave the row out',
    "a,0.5,1\na,-Infinity,0\n": 'line 2: score "-Infinity" is not finite',
    "a,0.5,1\na,1e999,0\n": 'line 2: score "1e999" is not finite; it is too large for a number',
    "a,0.5,1\na,0.5,inf\n": 'line 2: relevance "inf" is not finite',
    "a,0.5,1\na,0.5,-1\n": "line 2: relevance -1 is negative; use 0 for an irrelevant item",
    "a,0.5,1\na,,0\n": "line 2: score is empty; fill it in or leave the row out",
    "a,0.5,1\n,0.4,0\n": "line 2: query is empty; every row names the query that it belongs to",
    "a,0.5,1\nb,0.5\n": "line 2: 2 columns, where line 1 has 3; every row needs the same",
    "a;0,5;1\na;0.4;0\n": 'line 2: "0.4" has a decimal point, line 1 the other; use one of them',
    'a,"0,5",1\na,0.4,0\n': 'line 1: score "0,5" is not a number; separate the columns by semicolons, or write a decimal point',
    'a,0.5,1\n"b,0.4,0\n': "line 2: a quote opens here and is never closed",
    "query,score\na,0.5\n": 'line 1: no column for relevance in "query, score"; name one relevance, rel, relevant',
    "query,relevance\na,1\n": 'line 1: no column for score in "query, relevance"',
    "score,similarity,rel\n1,2,1\n": 'line 1: "score" and "similarity" both mean score; keep one',
    "0.5\n0.3\n": "line 1: only one column; separate query, score and relevance by commas, tabs or semicolons",
    "a,0.5,0\na,0.4,0\n": 'query "a" has no relevant item, so there is nothing to measure; relevance above 0 means relevant',
    "a,0.5,0\nb,0.4,0\n": "none of the 2 queries has a relevant item, so there is nothing to measure",
    "\x89PNG\r\n\x1a\n\0\0\0": "this is no text; save the table as CSV (a spreadsheet program can) and choose that file",
    "0.1,0.2,0.3,a\n0.1,x,0.3,b\n": 'line 2: column 2 "x" is not a number',
    "0.1,0.2,0.3,a\n0.1,0.2,0.3,\n": "line 2: the label is empty; every item has one",
    "0.1,0.2,0.3,a\n0.1,0.2,0.3,b\n": "no label occurs twice, so no item has another to find",
    "1e200,1,1,a\n1e200,1,1,a\n": "line 1: its dot products are too large for a number; scale the embeddings",
    "1,2,3,1\n2,3,4,1\n": 'the first and the last column could both be the label; say under "Read as" which it is',
    HEAD + "a,0.5,1\n" * 100_001: "line 100002: more than 100000 rows; leave some queries out",
    "0.1,0.2,0.3,a\n" * 501: "line 501: more than 500 items with embeddings; each ranks all others, so take a sample",
}


def read(run_math, texts):
    return run_math(READ, [text if isinstance(text, dict) else {"text": text} for text in texts])


def test_each_mistake_is_named_once(run_math):
    found = read(run_math, BAD)
    for expected, answer in zip(BAD.values(), found, strict=True):
        assert answer.get("error", "accepted").startswith(expected)
    assert len({answer["error"] for answer in found}) == len(BAD) - 1  # nothing at all and blank rows are one mistake


def test_what_the_reader_says_decides(run_math):
    as_told = {"": 3, "lists": 3, "first": 2, "last": 2}
    text = "1,0.5,1\n1,0.25,1\n2,0.125,1\n"
    found = read(run_math, [{"text": text, "as": told} for told in as_told])
    assert [answer["kind"] for answer in found] == ["lists", "lists", "embeddings", "embeddings"]
    assert found[2]["lists"][0]["scores"] == [0.5 * 0.25 + 1, 0.5 * 0.125 + 1] and found[2]["lists"][0]["relevance"] == [1, 0]
    assert found[3]["lists"][0]["relevance"] == [1, 1]
    many = read(run_math, [{"text": "a,1,2,3\n", "as": "lists"}])[0]
    assert many["error"] == "line 1: 4 columns and no names; put query, score, relevance above them"


GOOD = {
    "score,rel\n.5,1\n+4e-1,0\n": [[0.5, 1], [0.4, 0]],  # one list
    "0.5,1\n0.4,0\n": [[0.5, 1], [0.4, 0]],
    "a,\u22120.5,TRUE\na,-.25,false": [[-0.5, 1], [-0.25, 0]],
    "rel\tscore\tqid\n1\t0,5\tx\n0\t0,6\tx\n": [[0.5, 1], [0.6, 0]],
    ",query,score,relevance\n0,a,0.5,1\n1,a,0.4,0\n": [[0.5, 1], [0.4, 0]],  # an index column without a name
    "a , 0.5 , 1\r\r\na,0.4,0": [[0.5, 1], [0.4, 0]],
    "constructor,0.5,1\nconstructor,0.4,0": [[0.5, 1], [0.4, 0]],  # a name that every object has
}


def test_what_it_accepts(run_math):
    for text, answer in zip(GOOD, read(run_math, GOOD), strict=True):
        (only,) = answer["lists"]
        assert [list(pair) for pair in zip(only["scores"], only["relevance"], strict=True)] == GOOD[text], text


def test_bytes_become_text(run_math):
    row = "größe,0.5,1"
    encoded = [
        row.encode(),
        b"\xef\xbb\xbf" + row.encode(),
        row.encode("utf-16"),
        b"\xfe\xff" + row.encode("utf-16-be"),
        row.encode("cp1252"),
    ]
    found = run_math("table_file.readTable(table_file.textOf(new Uint8Array(c))).lists[0].query", [list(one) for one in encoded])
    assert found == ["größe"] * len(encoded)


def test_damaged_files_are_read_or_refused_by_name(run_math):
    """Five hundred files with characters lost, doubled and changed: whatever comes back is a table of finite numbers or a named error."""
    draw = random.Random(1)
    texts = []
    for _ in range(500):
        rows = [f"q{draw.randint(1, 3)},{draw.random():.3f},{draw.randint(0, 1)}" for _ in range(6)]
        text = list(HEAD * draw.randint(0, 1) + "\n".join(rows))
        for _ in range(draw.randint(1, 6)):
            i = draw.randrange(len(text))
            text[i : i + 1] = draw.choice(["", text[i] * 2, draw.choice(',;\t"\r\n.-eE0 aNx\0\ufeffé😀')])
        texts.append("".join(text))
    found = read(run_math, texts)
    assert 100 < sum("error" in answer for answer in found) < 450
    for answer in found:
        if "error" not in answer:
            assert all(isinstance(x, (int, float)) for one in answer["lists"] for x in one["scores"] + one["relevance"])
