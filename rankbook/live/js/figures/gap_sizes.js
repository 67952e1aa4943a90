// The gap over the number of classes in a batch: typically, at worst, and at worst with calibrated scores.
import { handle, slider, tiles } from "../core/controls.js";
import { fixed, html, linear, logarithmic } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, across, axis, line, panel, path, point } from "../core/marks.js";
import { averagePrecision } from "../shared/metrics.js";
import { calibratedGapBound, dealt, gapBound, thinnedAP } from "../shared/gap.js";

const CLASSES = 64, ITEMS = 16, FEWEST = 2;  // of the data
const LEFT = 44, RIGHT = 22, TOP = 24, FLOOR = 250;
const DRAWN = [2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 62, 63, 64];

const quantiles = (count) => Array.from({ length: count }, (_, i) => (i + 0.5) / count).map((u) => Math.log(u / (1 - u)));
const NEGATIVES = quantiles((CLASSES - 1) * ITEMS);

// The ranking: its positives, the best first, as the numbers of negatives above them; and its AP.
function ranking(shift) {
  const scores = quantiles(ITEMS - 1).map((logit) => logit + shift).reverse();
  const whole = averagePrecision([...scores, ...NEGATIVES], [...scores.map(() => 1), ...NEGATIVES.map(() => 0)]);
  return { above: scores.map((score) => NEGATIVES.filter((other) => other >= score).length), whole };
}

// What each batch holds for the query; the last is all batches without a positive together.
function batches({ classes, items, bad_positives, bad_negatives }) {
  const sizes = [];
  for (let start = 0; start < ITEMS; start += items) sizes.push(Math.min(items, ITEMS - start));
  const p = [...sizes.map((size, r) => size - (r === 0)), 0];  // the query left out
  const n = [...sizes.map((size) => (classes - 1) * size), (CLASSES - classes) * ITEMS];
  return { p, n, badP: dealt(bad_positives, p), badN: dealt(bad_negatives, n) };
}

// A function that remembers its values: a drag changes one curve or two.
function remembered(fn, known = new Map()) {
  return (...of) => {
    const key = of.join();
    if (!known.has(key)) known.set(key, fn(...of));
    return known.get(key);
  };
}

function build({ root, set }) {
  const plot = panel(root), [shape, thresholds] = [0, 1].map(() => html(root, "div", { class: "rb-sliders" }));
  const share = (name) => ({ min: 0, max: 1, step: 0.01, shown: (value) => `${Math.round(100 * value)} %`, change: (value) => set({ [name]: value }) });
  const show = {
    items: slider(shape, { label: "items a class", min: 2, max: ITEMS, step: 1, change: (items) => set({ items }) }),
    shift: slider(shape, { label: "quality", min: 0, max: 9, step: 0.1, change: (shift) => set({ shift }) }),
    bad_positives: slider(thresholds, { label: "relevant below \u03b1", ...share("bad_positives") }),
    bad_negatives: slider(thresholds, { label: "irrelevant above \u03b2", ...share("bad_negatives") }),
  };
  const [sizeTile, typicalTile, worstTile, calibratedTile] = tiles(root, ["Batch", "Typical gap", "Worst gap", "Worst, calibrated"]);
  const mover = handle(plot.box, {
    label: "classes in a batch", min: FEWEST, max: CLASSES, face: "C", digits: 0, anywhere: true,
    nudge: (value, steps) => value + steps, change: (classes) => set({ classes }),
  });
  const ranked = remembered(ranking);
  const typical = remembered((shift, items, classes) => {
    const { above, whole } = ranked(shift);
    return thinnedAP(above, NEGATIVES.length, items - 1, (classes - 1) * items) - whole;
  });
  const worst = remembered((items, classes) => {
    const { p, n } = batches({ classes, items, bad_positives: 0, bad_negatives: 0 });
    return gapBound(p, n);
  });
  const calibrated = (state) => {
    const { p, n, badP, badN } = batches(state);
    return calibratedGapBound(p, n, badP, badN);
  };

  return function draw(width, state) {
    const { classes, items, shift } = state, { whole } = ranked(shift);
    const values = {
      size: classes * items, whole, typical: typical(shift, items, classes), worst: worst(items, classes), calibrated: calibrated(state),
    };
    const x = logarithmic(FEWEST, CLASSES, LEFT, width - RIGHT), y = linear(0, 1, FLOOR, TOP), picture = plot.clear(width, FLOOR + 60);
    across(picture, x, y, FIFTHS, (tick) => fixed(tick, 1));
    axis(picture, x, FLOOR, [2, 4, 8, 16, 32, 64], { label: String, name: "classes in a batch", below: 36, anchor: "end" });
    const drawn = (gap) => `M${DRAWN.map((c) => `${x(c).toFixed(1)},${y(gap(c)).toFixed(2)}`).join("L")}`;
    path(picture, drawn((c) => worst(items, c)), "rb-curve rb-exact");
    path(picture, drawn((c) => calibrated({ ...state, classes: c })), "rb-curve rb-sup rb-dashed");
    path(picture, drawn((c) => typical(shift, items, c)), "rb-curve rb-smooth");
    line(picture, x(classes), TOP, x(classes), FLOOR, "rb-guide rb-dotted");
    [["worst", "exact"], ["calibrated", "sup"], ["typical", "smooth"]].forEach(([name, look]) => point(picture, x(classes), y(values[name]), look));
    mover.place(x, FLOOR, { now: classes, spoken: `${classes} classes of ${items} items, typical gap ${fixed(values.typical, 3)}` });
    Object.entries(show).forEach(([name, to]) => to(state[name]));

    sizeTile.show(String(values.size), `${classes} classes of ${items}`);
    typicalTile.show(fixed(values.typical, 3), `AP of the whole ${fixed(whole, 3)}`);
    worstTile.show(fixed(values.worst, 3), "every batch perfect");
    calibratedTile.show(fixed(values.calibrated, 3), "every batch perfect");
    return { values, summary: `batches of ${values.size}: typical gap ${fixed(values.typical, 3)}, at worst ${fixed(values.worst, 3)}, with calibration ${fixed(values.calibrated, 3)}` };
  };
}

export default figure({
  label: "The decomposability gap over the number of classes in a batch", traits: ["classes", "items", "shift", "bad_positives", "bad_negatives"],
  legend: [["rb-stroke rb-exact", "worst case"], ["rb-stroke rb-sup rb-dashed", "worst, calibrated"], ["rb-stroke rb-smooth", "typical"]],
  hint: "Drag C. Then change the items a class.",
  build,
});
