// From a loss on the class to one on the tree: what two metrics gain on the way, and the first wrong answers to a few queries.
import { handle, tiles } from "../core/controls.js";
import { fixed, linear, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { across, axis, circle, line, panel, path, text } from "../core/marks.js";

const SHOWN = 6, COLUMNS = 4;
const LEFT = 44, RIGHT = 66, TOP = 30, FLOOR = 172, ROWS = 258, ROW = 46;
const LOOKS = ["rb-mark rb-irrelevant", "rb-gap", "rb-mark rb-half"];
const SHARED = ["strangers", "of the group", "of the subgroup"];
const CURVES = [[1, "H-AP", "relevant"], [2, "hit@1", "exact"]];

const signed = (value) => `${value > 0 ? "+" : ""}${fixed(value, 1)}`;

function build({ root, get, set }) {
  const plot = panel(root), steps = () => get("curve").length / COLUMNS;
  const [first, hap, strangers] = tiles(root, ["hit@1", "H-AP", "Strangers"], { bars: 3 });
  const knob = handle(plot.box, {
    label: "weight of the tree", min: 0, max: 15, face: "", digits: 0, nudge: (value, by) => value + by,
    change: (value) => set({ step: Math.min(value, steps() - 1) }),
  });

  return function draw(width, { step, curve, catalog, queries, wrong, shared }) {
    const points = Array.from({ length: steps() }, (_, i) => curve.slice(COLUMNS * i, COLUMNS * (i + 1)));
    const [weight, tree, hit, odd] = points[step], items = catalog.split("\n").map((one) => [one.split(" ")[0], one.slice(one.indexOf(" ") + 1)]);
    const picture = plot.clear(width, ROWS + queries.length * ROW - 14);

    // Both in hundredths, from the loss on the class alone.
    const change = (column) => points.map((one) => 100 * (one[column] - points[0][column]));
    const all = CURVES.flatMap(([column]) => change(column)), low = Math.floor(Math.min(...all)), high = Math.max(low + 1, Math.ceil(Math.max(...all)));
    const apart = Math.ceil((high - low) / 5), ticks = Array.from({ length: Math.floor((high - low) / apart) + 1 }, (_, i) => low + i * apart);
    const x = linear(0, points.length - 1, LEFT, width - RIGHT), y = linear(low, high, FLOOR - 24, TOP);
    across(picture, x, y, ticks, (tick) => signed(tick).replace(".0", ""));
    axis(picture, x, FLOOR, [], { name: "" });
    text(picture, 0, TOP - 14, "hundredths won or lost", "rb-muted", "start");
    points.forEach((one, i) => text(picture, x(i), FLOOR + 36, String(one[0]), "rb-tick"));
    text(picture, width, FLOOR + 36, "the tree", "rb-muted", "end");
    line(picture, x(step), TOP, x(step), FLOOR, "rb-guide rb-dotted");
    const ends = CURVES.map(([column]) => y(change(column).at(-1))), close = Math.abs(ends[0] - ends[1]) < 16;
    CURVES.forEach(([column, name, look], c) => {
      const values = change(column);
      path(picture, `M${values.map((value, i) => `${x(i)},${y(value)}`).join("L")}`, `rb-curve rb-${look}`);
      values.forEach((value, i) => circle(picture, x(i), y(value), i === step ? 7 : 4, `rb-point rb-${look}`));
      text(picture, x.end + 14, ends[c] + 4 + (close ? (c ? 9 : -9) : 0), name, "rb-rank", "start");
    });
    knob.knob.setAttribute("aria-valuemax", points.length - 1);
    knob.place(x, FLOOR, { now: step, spoken: `${weight}; H-AP ${fixed(tree, 3)}, hit@1 ${fixed(hit, 3)}`, shown: `tree ${weight}` });

    text(picture, 0, ROWS - 30, "query", "rb-muted", "start");
    const from = Math.min(90, width * 0.2), slot = (width - from) / SHOWN;
    text(picture, from, ROWS - 30, "its first mistakes, from the left", "rb-muted", "start");
    let alone = 0;
    const glyph = (cx, cy, item) => {
      const [sign, name] = items[item];
      svg(text(picture, cx, cy + 7, sign, "rb-glyph"), "title", {}, name);
    };
    queries.forEach((query, q) => {
      const middle = ROWS + q * ROW, at = (q * points.length + step) * SHOWN;
      glyph(18, middle, query);
      for (let m = 0; m < SHOWN; m++) {
        const cx = from + (m + 0.5) * slot;
        alone += Number(shared[at + m] === 0);
        circle(picture, cx, middle, 19, LOOKS[shared[at + m]]);
        glyph(cx, middle, wrong[at + m]);
      }
    });

    first.show(fixed(hit, 3), "of the class", hit);
    hap.show(fixed(tree, 3), `the tree weighs ${weight}`, tree);
    strangers.show(`${fixed(100 * odd, 1)} %`, `of all first mistakes; ${alone} of ${queries.length * SHOWN} here`, odd);
    const values = { weight, hierarchical_ap: tree, hit, strangers: odd, strangers_shown: alone };
    const told = SHARED.map((name, level) => `${queries.flatMap((_, q) => shared.slice((q * points.length + step) * SHOWN, (q * points.length + step + 1) * SHOWN)).filter((one) => one === level).length} ${name}`);
    return { values, summary: `The tree weighs ${weight}: hit@1 ${fixed(hit, 3)}, H-AP ${fixed(tree, 3)}; mistakes shown: ${told.join(", ")}` };
  };
}

export default figure({
  label: "From the class to the tree: two curves, and mistakes along them", traits: ["step", "curve", "catalog", "queries", "wrong", "shared"],
  legend: [["rb-dot rb-half", "same subgroup"], ["rb-dot rb-exact", "same group"], ["rb-dot rb-irrelevant", "stranger"]],
  hint: "Drag the weight of the tree.",
  build,
});
