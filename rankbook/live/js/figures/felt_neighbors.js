// Whom an item X feels. One row for each family of rankers: a stem for each other item, as high as the slope of X's rank in it.
import { handle, logSlider, tiles } from "../core/controls.js";
import { compact, fixed, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, FIFTHS, axis, line, panel, rect, text } from "../core/marks.js";
import { exactRanks } from "../core/math.js";
import { RANKERS } from "../shared/rankers.js";

const SHOWN = [["sigmoid", "sigmoid: the distance decides"], ["projection", "projection: the crowd decides"], ["neuralsort", "NeuralSort: the gaps decide"]];
const HALVINGS = 30, FELT = 0.05;
const SIDE = 18, ROW = 92, STEM = 50; // a row, and the tallest stem in it
const AXIS = 14 + SHOWN.length * ROW + 22; // clear of the tip of the handle

// The knob at which the mean rank error is `error`, by halving the decades from 10^-4 to 10^2.
function matchedKnob(ranker, scores, error) {
  const exact = exactRanks(scores);
  let low = -4, high = 2;
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2, { ranks } = RANKERS[ranker](scores, 10 ** middle);
    if (ranks.reduce((sum, rank, j) => sum + Math.abs(rank - exact[j]), 0) / scores.length > error) high = middle;
    else low = middle;
  }
  return 10 ** low;
}

function answer(ranker, scores, x, knob) {
  const row = RANKERS[ranker]([...scores, x], knob).jacobian.at(-1);
  const slope = row.at(-1), pushes = row.slice(0, -1).map(Math.abs);
  const hardest = Math.max(...pushes), alive = hardest >= DEAD;
  const total = pushes.reduce((sum, push) => sum + push, 0);
  return {
    knob, pushes, slope,
    felt: alive ? pushes.filter((push) => push >= FELT * hardest).length : 0,
    reach: alive ? pushes.reduce((sum, push, j) => sum + push * Math.abs(scores[j] - x), 0) / total : null,
  };
}

function drawRow(picture, x, base, title, scores, at, { pushes, reach }) {
  text(picture, x.start, base - STEM - 14, title, "rb-muted", "start");
  if (reach === null) text(picture, x.end, base - STEM - 14, "dead", "rb-strong", "end");
  else rect(picture, x(at - reach), base + 3, x(at + reach) - x(at - reach), 5, "rb-plus", { "fill-opacity": 0.5 });
  line(picture, x.start, base, x.end, base, "rb-grid");
  const hardest = Math.max(...pushes);
  scores.forEach((score, j) => {
    line(picture, x(score), base - 5, x(score), base, "rb-guide");
    const height = reach === null ? 0 : (STEM * pushes[j]) / hardest;
    if (height > 0) rect(picture, x(score) - 1.5, base - height, 3, height, "rb-plus");
  });
}

function build({ root, set }) {
  const showError = logSlider(root, { label: "rank error of all three", min: 0.05, max: 2, change: (error) => set({ error }) });
  const plot = panel(root);
  const shown = tiles(root, ["sigmoid", "projection", "NeuralSort"]);
  const mover = handle(plot.box, { label: "score of X", min: 0, max: 1, face: "X", anywhere: true, change: (x) => set({ x }) });
  let matched, knobs; // a drag of X changes no knob

  return function draw(width, { scores, x: at, error }) {
    const now = JSON.stringify([scores, error]);
    if (matched !== now) knobs = SHOWN.map(([ranker]) => matchedKnob(ranker, scores, error));
    matched = now;
    const x = linear(0, 1, SIDE, width - SIDE), picture = plot.clear(width, AXIS + 54);
    axis(picture, x, AXIS, FIFTHS, { name: "score", below: 34, anchor: "end" });
    line(picture, x(at), 20, x(at), AXIS, "rb-guide rb-dotted");
    const values = {}, heard = [];
    SHOWN.forEach(([ranker, title], i) => {
      const found = answer(ranker, scores, at, knobs[i]);
      drawRow(picture, x, 14 + (i + 1) * ROW - 16, title, scores, at, found);
      const knob = `knob ${compact(found.knob)}`;
      shown[i].show(found.reach === null ? null : fixed(found.reach, 3), found.reach === null ? `feels nobody; ${knob}` : `reach of X; feels ${found.felt}; ${knob}`);
      Object.entries(found).forEach(([name, value]) => { values[`${ranker}_${name}`] = value; });
      heard.push(`${ranker} feels ${found.felt}`);
    });
    mover.place(x, AXIS, { now: at, spoken: `score ${fixed(at, 2)}, ${heard.join(", ")}` });
    showError(error);
    return { values, summary: `X at ${fixed(at, 2)}: ${heard.join(", ")}` };
  };
}

export default figure({
  label: "Whom an item feels, by three families of rankers", traits: ["scores", "x", "error"],
  legend: [["rb-dot rb-smooth", "how strongly the rank of X answers to that item"]], hint: "Drag X from the gaps into the crowd.",
  build,
});
