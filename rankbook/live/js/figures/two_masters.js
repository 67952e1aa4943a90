// One logit for two lists. The weight of the pairs turns the order right and the probabilities wrong; a map for each list repairs them.
import { choices, handle, tiles } from "../core/controls.js";
import { clamp, fixed, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, across, axis, curve, line, mark, panel, text } from "../core/marks.js";
import { sigmoid } from "../core/math.js";

const PIECES = 10, FLOOR = 0.05, STEPS = 300, NEWTON = 40;  // as in two_masters.py
const LEFT = 40, RIGHT = 22, WEIGHT = 24, TOP = 104, HEIGHT = 270, FOOT = 40;
const WEIGHTS = [0, 0.5, 1, 1.5, 2, 2.5, 3];
const NAMES = ["A", "B"], LOOKS = ["rb-smooth", "rb-sup"];

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Slope and shift that minimize cross-entropy plus `weight` times RankNet of the lists, by Newton's steps.
function bestLogit(x, y, lists, weight) {
  const gaps = lists.map((rows) => rows.filter((i) => y[i]).flatMap((i) => rows.filter((j) => !y[j]).map((j) => x[i] - x[j])));
  let slope = 0, shift = 0;
  for (let step = 0; step < NEWTON; step++) {
    const p = x.map((v) => sigmoid(slope * v + shift)), spread = p.map((v) => v * (1 - v));
    let g = mean(x.map((v, i) => v * (p[i] - y[i]))), a = mean(x.map((v, i) => v * v * spread[i]));
    const h = mean(p.map((v, i) => v - y[i])), b = mean(x.map((v, i) => v * spread[i])), c = mean(spread);
    for (const gap of gaps) {
      const wrong = gap.map((d) => sigmoid(-slope * d));
      g -= (weight / gaps.length) * mean(gap.map((d, i) => d * wrong[i]));
      a += (weight / gaps.length) * mean(gap.map((d, i) => d * d * wrong[i] * (1 - wrong[i])));
    }
    const det = a * c - b * b;
    slope -= (c * g - b * h) / det;
    shift -= (a * h - b * g) / det;
  }
  return { slope, shift };
}

// The share of each piece in g(p), and the heights that make the clicks of a list most likely.
const shares = (p) => Array.from({ length: PIECES }, (_, m) => (1 - FLOOR) * clamp(p * PIECES - m, 0, 1) + FLOOR * p);
const dot = (a, b) => a.reduce((sum, value, m) => sum + value * b[m], 0);

function heights(p, y) {
  const share = p.map(shares);
  let a = Array(PIECES).fill(1 / PIECES);
  for (let step = 0; step < STEPS; step++) {
    const g = share.map((row) => dot(row, a));
    a = a.map((value, m) => value * mean(share.map((row, i) => (y[i] ? row[m] / g[i] : (1 - row[m]) / (1 - g[i])))));
  }
  return a;
}

// The mean of the lists' AUC, weighted by their items; a tie is half a pair.
function gauc(p, y, lists) {
  const areas = lists.map((rows) => mean(rows.filter((i) => y[i]).flatMap((i) => rows.filter((j) => !y[j]).map((j) => (Math.sign(p[i] - p[j]) + 1) / 2))));
  return areas.reduce((sum, area, l) => sum + area * lists[l].length, 0) / p.length;
}

function build({ root, set }) {
  const showMap = choices(root, { label: "what is read as a probability", names: { off: "one logit for both lists", on: "and a map for each list" }, change: (map) => set({ map }) });
  const plot = panel(root);
  const knob = handle(plot.box, { label: "weight of the pairs", min: 0, max: 3, face: "", nudge: (value, steps) => value + steps / 20, change: (weight) => set({ weight }) });
  const [order, loss, ofA, ofB] = tiles(root, ["GAUC", "LogLoss", "List A, predicted", "List B, predicted"], { bars: 1 });

  return function draw(width, { feature, clicks, weight, map }) {
    const n = Math.min(feature.length, clicks.length), half = Math.floor(n / 2), rows = [...Array(n).keys()];
    const lists = [rows.slice(0, half), rows.slice(half)], y = clicks.slice(0, n), on = map === "on";
    const { slope, shift } = bestLogit(feature.slice(0, n), y, lists, weight);
    const raw = (v) => sigmoid(slope * v + shift), plain = rows.map((i) => raw(feature[i]));
    const maps = lists.map((some) => {
      const a = on ? heights(some.map((i) => plain[i]), some.map((i) => y[i])) : null;
      return on ? (p) => dot(shares(p), a) : (p) => p;
    });
    const predicted = lists.flatMap((some, l) => some.map((i) => maps[l](plain[i])));
    const [of_a, of_b] = lists.map((some) => mean(some.map((i) => predicted[i])));
    const clicked = lists.map((some) => mean(some.map((i) => y[i])));
    const values = { slope, shift, predicted, gauc: gauc(predicted, y, lists), log_loss: -mean(predicted.map((p, i) => Math.log(y[i] ? p : 1 - p))), of_a, of_b };

    const x = linear(0, 1, LEFT, width - RIGHT), w = linear(0, 3, LEFT, width - RIGHT), z = linear(0, 1, TOP + HEIGHT, TOP), picture = plot.clear(width, TOP + HEIGHT + FOOT);
    axis(picture, w, WEIGHT, WEIGHTS, { label: (tick) => fixed(tick, 1), name: "weight of the pairs", below: 32 });
    across(picture, x, z, FIFTHS, (tick) => fixed(tick, 1));
    text(picture, (x.start + x.end) / 2, TOP + HEIGHT + 26, "how good the item is", "rb-muted");
    text(picture, x.start + 4, TOP + 14, "probability of a click", "rb-muted", "start");
    curve(picture, x, z, raw, on ? "rb-exact rb-dashed" : "rb-exact");
    lists.forEach((some, l) => {
      const ends = some.map((i) => x(feature[i])), start = Math.min(...ends), end = Math.max(...ends);
      if (on) curve(picture, x, z, (v) => maps[l](raw(v)), LOOKS[l], { start, end });
      line(picture, start, z(clicked[l]), end, z(clicked[l]), "rb-guide");
      text(picture, l ? end : start, z(clicked[l]) + (l ? -7 : 16), `${NAMES[l]} is clicked ${fixed(clicked[l], 2)}`, "rb-muted", l ? "end" : "start");
      some.forEach((i) => mark(picture, x(feature[i]), z(predicted[i]), 9, y[i] ? "relevant" : "irrelevant", NAMES[l]));
    });

    showMap(map);
    const right = values.gauc > 0.5 ? "the better item first" : "the better item last";
    knob.place(w, WEIGHT, { now: weight, spoken: `weight ${fixed(weight, 2)}, ${right}` });
    order.show(fixed(values.gauc, 3), right, values.gauc);
    loss.show(fixed(values.log_loss, 3), on ? "after the map" : "of the logit's sigmoid");
    [[ofA, of_a, 0], [ofB, of_b, 1]].forEach(([tile, value, l]) => tile.show(fixed(value, 2), `clicked ${fixed(clicked[l], 2)}`));
    return { values, summary: `GAUC ${fixed(values.gauc, 3)}, ${right}; LogLoss ${fixed(values.log_loss, 3)}; list A predicted ${fixed(of_a, 2)}, list B ${fixed(of_b, 2)}` };
  };
}

export default figure({
  label: "One logit for two lists: order and probability", traits: ["feature", "clicks", "weight", "map"],
  legend: [["rb-dot rb-relevant", "clicked"], ["rb-dot rb-irrelevant", "not clicked"]],
  hint: "Cross-entropy alone ranks both lists backwards. Drag the weight.",
  build,
});
