// One list, seven rankers, one knob. Left: soft ranks against exact ranks. Right: the Jacobian, that is, who feels whom.
import { choices, handle, logSlider, tiles } from "../core/controls.js";
import { compact, fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, across, axis, circle, line, panel, point, rect, text } from "../core/marks.js";
import { exactRanks } from "../core/math.js";
import { letter, replaced } from "../shared/items.js";
import { RANKERS, reach } from "../shared/rankers.js";

const LEFT = 30, RIGHT = 24;
const TOP = 36, BOTTOM = 270;
const STRIP = 302;        // the score axis with the item that moves
const HEIGHT = STRIP + 54;
const GAP = 24;           // between the two columns
const NAMES = { exact: "exact", sigmoid: "sigmoid", laplace: "Laplace", box: "box", projection: "projection", softsort: "SoftSort", neuralsort: "NeuralSort" };

function drawRanks(plot, mover, width, { scores, item, exact, ranks }) {
  const n = scores.length, y = linear(1, n, TOP, BOTTOM), x = linear(0, 1, LEFT, width - RIGHT);
  const picture = plot.clear(width, HEIGHT);
  text(picture, 0, 14, "rank", "rb-muted", "start");
  across(picture, x, y, scores.map((_, i) => i + 1));
  axis(picture, x, STRIP, FIFTHS, { name: "score", below: 34, anchor: "end" });
  line(picture, x(scores[item]), y(Math.max(exact[item], ranks[item])), x(scores[item]), STRIP, "rb-guide rb-dotted");
  scores.forEach((s, i) => {
    line(picture, x(s), y(exact[i]), x(s), y(ranks[i]), "rb-error");
    circle(picture, x(s), y(exact[i]), 7, "rb-ring");
    point(picture, x(s), y(ranks[i]), "smooth");
    if (i !== item) line(picture, x(s), STRIP - 6, x(s), STRIP + 6, "rb-guide");
  });
  scores.forEach((s, i) => text(picture, x(s) - 11, y(exact[i]) - 6, letter(i), i === item ? "rb-strong" : "rb-muted", "end"));
  mover.place(x, STRIP, { now: scores[item], spoken: `score ${fixed(scores[item], 2)}, exact rank ${exact[item]}, soft rank ${fixed(ranks[item], 2)}` });
}

function drawMap(map, width, { item, jacobian }) {
  const n = jacobian.length, size = Math.min((width - LEFT - 2) / n, (BOTTOM + 46 - TOP) / n);
  const left = LEFT + (width - LEFT - n * size) / 2, top = TOP + 20;
  const picture = map.clear(width, Math.max(HEIGHT - 20, top + n * size + 20));
  text(picture, left, 14, "slope of each rank (row)", "rb-muted", "start");
  text(picture, left, 32, "in each score (column)", "rb-muted", "start");
  const largest = Math.max(...jacobian.flat().map(Math.abs));
  jacobian.forEach((entries, i) => {
    const look = i === item ? "rb-strong" : "rb-tick";
    text(picture, left - 12, top + (i + 0.5) * size + 4, letter(i), look);
    text(picture, left + (i + 0.5) * size, top + n * size + 17, letter(i), look);
    entries.forEach((value, k) => {
      const x = left + k * size, y = top + i * size;
      const cell = (cls, more) => rect(picture, x, y, size - 1, size - 1, cls, more);
      cell("rb-cell");
      const strength = Math.sqrt(Math.abs(value) / largest);  // the root: small entries show, beside the large diagonal
      if (value !== 0) cell(value > 0 ? "rb-plus" : "rb-minus", { "fill-opacity": 0.6 * strength });
      const shown = value === 0 ? "0" : Math.abs(value) < 0.05 ? "" : fixed(value, Math.abs(value) < 10 ? 1 : 0);
      text(picture, x + size / 2, y + size / 2 + 4, shown, value === 0 ? "rb-tick rb-flat" : "rb-entry-text rb-flat");
    });
  });
}

function build({ root, get, set }) {
  const choose = choices(root, { label: "ranker", names: NAMES, change: (ranker) => set({ ranker }) });
  const showKnob = logSlider(root, { label: "knob \u03c4", min: 0.003, max: 3, change: (knob) => set({ knob }) });
  const pair = html(root, "div", { class: "rb-pair rb-below" });
  const plot = panel(pair), map = panel(pair);
  const [errorTile, reachTile, slopeTile, sumTile] = tiles(root, ["Mean rank error", "Reach", "Own slope", "Sum of the ranks"]);
  const mover = handle(plot.box, {
    label: "score of the item that moves", min: 0, max: 1, face: letter(get("item")), anywhere: true,
    change: (score) => set({ scores: replaced(get("scores"), get("item"), score) }),
  });

  return function draw(total, { scores, item, ranker, knob }) {
    const { ranks, jacobian } = RANKERS[ranker](scores, knob);
    const exact = exactRanks(scores);
    const values = {
      ranks, jacobian: jacobian.flat(),
      rank_error: ranks.reduce((sum, rank, i) => sum + Math.abs(rank - exact[i]), 0) / scores.length,
      reach: reach(scores, jacobian),
      own_slope: jacobian[item][item],
      rank_sum: ranks.reduce((sum, rank) => sum + rank, 0),
    };
    const width = total >= 560 ? (total - GAP) / 2 : total;
    drawRanks(plot, mover, width, { scores, item, exact, ranks });
    drawMap(map, width, { item, jacobian });
    choose(ranker);
    showKnob(knob);
    const name = letter(item), full = (scores.length * (scores.length + 1)) / 2, far = values.reach === null ? null : fixed(values.reach, 3);
    errorTile.show(fixed(values.rank_error, 3), ranker === "exact" ? "no knob" : "places, against exact");
    reachTile.show(far, far === null ? "nobody feels anybody" : "in units of the score");
    slopeTile.show(compact(values.own_slope), values.own_slope === 0 ? `dead for ${name}` : `places per unit of ${name}\u2019s score`);
    sumTile.show(fixed(values.rank_sum, 2), Math.abs(values.rank_sum - full) < 0.005 ? "as it should be" : `should be ${full}`);
    return {
      values,
      summary: `${NAMES[ranker]}: mean rank error ${fixed(values.rank_error, 3)}, reach ${far ?? "none"}, slope of ${name} ${compact(values.own_slope)}`,
    };
  };
}

export default figure({
  label: "Soft ranks and Jacobian of seven rankers", traits: ["scores", "item", "ranker", "knob"],
  legend: [["rb-dot rb-exact", "exact rank"], ["rb-dot rb-smooth", "soft rank"]], hint: "Choose a ranker, turn the knob, drag the item.",
  build,
});
