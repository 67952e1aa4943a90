"""Numbers as they are written and values as they were computed, and when the one is the other."""

import ast
import html
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from book_words import GATE, Cell, source, states

NUMBER = re.compile(
    r"(?<![\w.,@^#/])(?<![A-Za-z]-)(?P<sign>[+−-])?(?P<body>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:\s?[*·×]\s?10\^(?P<ten>-?\d+)|[eE](?P<exponent>[+-]?\d+)|\^(?P<power>-?\d+))?(?:\s?/\s?(?P<below>\d+(?:\.\d+)?))?(?P<percent>\s?%)?"
    r"(?=$|[^\w@^]|(?:st|nd|rd|th|s|ms|x|[kM]B?|GB)\b)(?![.,]\d)"
)
PERCENT_INTERVAL = re.compile(r"%\s*\[([^\]]*)\]")  # 47 % [41, 53]
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow}
# What a list of this length holds is a curve, not values that a sentence would name.
CURVE = 40


@dataclass(frozen=True)
class Number:
    """A number as it is written: `step` is one unit of its last digit, 0 for a fraction, which is exact."""

    text: str
    value: float
    step: float
    signed: bool = False
    percent: bool = False
    start: int = 0
    width: float = 0.0  # of an interval that an assertion gives: 90 < x < 120

    @property
    def digits(self) -> int:
        """Significant ones: `.7222` has four, `30` two, `10^-8` one."""
        body = re.split(r"[eE^*·×]", self.text)[0]
        return len(re.sub(r"\D", "", body).lstrip("0")) or 1


@dataclass(frozen=True)
class Value:
    """A value that the notebook holds: printed by a cell, asserted by one, or set by one."""

    number: Number
    kind: str  # output, claim, setting
    section: int
    position: int


def numbers(text: str) -> Iterator[Number]:
    """
    >>> [(n.value, n.percent) for n in numbers("AP .7222, 47 % of 1,330; 1/8, −1.2, 10^-8, float64, R@10, 2.13.0")]
    [(0.7222, False), (47.0, True), (1330.0, False), (0.125, False), (-1.2, False), (1e-08, False)]
    """
    shares = [found.span(1) for found in PERCENT_INTERVAL.finditer(text)]
    for found in NUMBER.finditer(text):
        body, sign = found["body"].replace(",", ""), found["sign"]
        value, step = float(body), 10.0 ** -len(body.partition(".")[2])
        if found["power"] and value:
            value = step = value ** int(found["power"])
        exponent = int(found["ten"] or found["exponent"] or 0)
        value, step = float(f"{value!r}e{exponent}") if exponent else value, step * 10.0**exponent
        if found["below"] and float(found["below"]):
            value, step = value / float(found["below"]), 0.0
        percent = bool(found["percent"]) or any(start <= found.start() < end for start, end in shares)
        yield Number(found[0].strip(), -value if sign and sign != "+" else value, step, bool(sign), percent, found.start())


def equal(written: Number, value: Number, loosely: bool = False) -> bool:
    """Whether a value, rounded as the number is written, is that number.

    A whole number of one digit says a count, so 3.2 is no 3; `loosely` for those that follow "about", "some", a factor.
    """
    w, v = written.value, value.value
    if not written.signed:
        w, v = abs(w), abs(v)
    if value.width:
        w = w / 100 if written.percent else w
        step = written.step / 100 if written.percent else written.step
        return abs(v - w) <= value.width / 2 and value.width <= max(2 * step, abs(w) / 4 if loosely else 0)
    if written.percent != value.percent:
        if not written.percent:
            return False
        if rounded(w, 100 * v, written.step):
            return True
        return v == w and v == round(v)
    if written.step == 0:
        return abs(v - w) <= max(value.step / 2 if value.step <= 1e-3 else 0, 1e-9)
    whole = written.step == 1 and not written.percent
    if whole and not loosely and w < 10:
        return v == w
    return rounded(w, v, written.step)


def rounded(w: float, v: float, step: float) -> bool:
    return abs(v - w) <= step / 2 * (1 + 1e-6)


def values(cells: list[Cell], sections: list[int]) -> list[Value]:
    """All values of a notebook."""
    found = []
    for position, (cell, section) in enumerate(zip(cells, sections, strict=True)):
        if cell["cell_type"] == "code":
            found += [Value(number, "output", section, position) for number in outputs(cell)]
            found += [Value(number, kind, section, position) for kind, number in literals(source(cell))]
    return found


def outputs(cell: Cell) -> Iterator[Number]:
    """What a cell shows: prints, tables, the state of a live figure; of a gate the answer."""
    yield from numbers(shown(cell))
    for module, state in states(cell):
        if module != GATE:
            yield from leaves(state)
        elif not state.get("options"):
            yield replace(literal(state["answer"]), percent=state.get("unit") == "%")


def shown(cell: Cell) -> str:
    """The text of what a cell prints and of its tables; not of live figures, whose words are checked, not believed."""
    texts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        text = "".join(output.get("text", "") if output["output_type"] == "stream" else data.get("text/html", data.get("text/plain", "")))
        if "image/png" not in data and 'class="rb-live"' not in text:
            texts.append(html.unescape(re.sub(r"<[^>]*>", " ", text)))
    return "\n".join(texts)


def leaves(state: object) -> Iterator[Number]:
    if isinstance(state, dict):
        state = list(state.values())
    if isinstance(state, list) and len(state) <= CURVE:
        for one in state:
            yield from leaves(one)
    elif isinstance(state, int | float) and not isinstance(state, bool):
        yield literal(state)


def literal(value: float) -> Number:
    # Of a computed float the last digits are noise; what is written is compared with all that are there.
    return Number(f"{value:.6g}", float(value), 0.0 if value else 1e-12)


def literals(code: str) -> Iterator[tuple[str, Number]]:
    """The constants of a code cell, with sums and fractions of constants: claims if asserted, else settings."""
    tree = ast.parse(re.sub(r"^[%!].*$", "", code, flags=re.M))
    claims = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Assert) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in claims and isinstance(node, ast.Compare) and len(node.comparators) > 1:
            yield from (("claim", interval) for interval in intervals(node))
        if isinstance(node, ast.expr) and (value := constant(node)) is not None:
            yield "claim" if id(node) in claims else "setting", literal(value)


def intervals(chain: ast.Compare) -> Iterator[Number]:
    """0.72 < x < 0.82: a claim about x as good as its width."""
    bounds = [constant(node) for node in (chain.left, *chain.comparators)]
    for low, middle, high in zip(bounds, bounds[1:], bounds[2:], strict=False):
        if low is not None and middle is None and high is not None and low < high:
            yield Number(f"{low} to {high}", (low + high) / 2, 0.0, width=high - low)


def constant(node: ast.expr) -> float | None:
    """The value of arithmetic with constants; None for everything else.

    >>> constant(ast.parse("1 / 8", mode="eval").body), constant(ast.parse("x / 8", mode="eval").body)
    (0.125, None)
    """
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=inner) if (value := constant(inner)) is not None:
            return -value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            a, b = constant(left), constant(right)
            try:
                return None if a is None or b is None else float(OPERATORS[type(op)](a, b))
            except (ArithmeticError, TypeError):
                return None
    return None
