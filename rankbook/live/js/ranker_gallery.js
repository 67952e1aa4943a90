// One list, seven rankers, one knob. Left: soft ranks against exact ranks. Right: the Jacobian, that is, who feels whom.
import { exactRanks } from "./math.js";
import { RANKERS, reach } from "./rankers.js";
import { choices, clamp, compact, figure, fixed, handle, html, legendEntry, line, linear, logSlider, panel, pressAnywhere, svg, text, tile, tiles } from "./ui.js";
import { letter, replaced } from "./strip.js";

const LEFT = 30, RIGHT = 24;
const TOP = 36, BOTTOM = 270;
const STRIP = 302;        // the score axis with the item that moves
const HEIGHT = STRIP + 52;
const KNOB = { min: 0.003, max: 3 };
const GAP = 24;           // between the two columns
const NAMES = { exact: "exact", sigmoid: "sigmoid", laplace: "Laplace", box: "box", projection: "projection", softsort: "SoftSort", neuralsort: "NeuralSort" };

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-dot rb-exact", "exact rank");
  legendEntry(legend, "rb-dot rb-smooth", "soft rank");
  html(legend, "span", { class: "rb-hint" }, "Choose a ranker, turn the knob, drag the item.");
  const choose = choices(root, { label: "ranker", names: NAMES, change: (ranker) => set({ ranker }) });
  const showKnob = logSlider(root, { label: "knob \u03c4", ...KNOB, change: (knob) => set({ knob }) });
  const pair = html(root, "div", { class: "rb-pair rb-below" });
  const plot = panel(pair), map = panel(pair);
  const row = tiles(root, 4);
  const errorTile = tile(row, "Mean rank error"), reachTile = tile(row, "Reach");
  const slopeTile = tile(row, "Own slope"), sumTile = tile(row, "Sum of the ranks");

  let x = linear(0, 1, 0, 1);
  const moveTo = (value) => {
    const score = Math.round(clamp(value, 0, 1) * 100) / 100;
    set({ scores: replaced(get("scores"), get("item"), score) });
  };
  const mover = handle(plot.box, {
    label: "score of the item that moves", min: 0, max: 1, face: letter(get("item")),
    scale: () => x, value: () => get("scores")[get("item")], change: moveTo, nudge: (value, steps) => value + steps / 100,
  });
  pressAnywhere(plot.box, mover.knob, () => x, moveTo);

  function drawRanks(width, scores, item, exact, ranks) {
    const n = scores.length, y = linear(1, Math.max(n, 2), TOP, BOTTOM);
    x = linear(0, 1, LEFT + 8, width - RIGHT);
    const picture = plot.clear(width, HEIGHT);
    text(picture, 0, 14, "rank", "rb-muted", "start");
    scores.forEach((_, i) => {
      line(picture, LEFT, y(i + 1), width - RIGHT, y(i + 1), "rb-grid");
      text(picture, LEFT - 10, y(i + 1) + 4, String(i + 1), "rb-tick", "end");
    });
    line(picture, LEFT, STRIP, width - RIGHT, STRIP, "rb-axis");
    [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((tick) => text(picture, x(tick), STRIP + 34, fixed(tick, 1), "rb-tick"));
    text(picture, width - RIGHT, HEIGHT - 2, "score", "rb-muted", "end");
    line(picture, x(scores[item]), y(Math.max(exact[item], ranks[item])), x(scores[item]), STRIP, "rb-guide rb-dotted");
    scores.forEach((s, i) => {
      line(picture, x(s), y(exact[i]), x(s), y(ranks[i]), "rb-error");
      svg(picture, "circle", { cx: x(s), cy: y(exact[i]), r: 7, class: "rb-ring" });
      svg(picture, "circle", { cx: x(s), cy: y(ranks[i]), r: 4.5, class: "rb-point rb-smooth" });
      if (i !== item) line(picture, x(s), STRIP - 6, x(s), STRIP + 6, "rb-guide");
    });
    scores.forEach((s, i) => text(picture, x(s) - 11, y(exact[i]) - 6, letter(i), i === item ? "rb-strong" : "rb-muted", "end"));
    mover.place(x(scores[item]), STRIP, {
      now: scores[item], shown: fixed(scores[item], 2), cls: "neutral",
      spoken: `score ${fixed(scores[item], 2)}, exact rank ${exact[item]}, soft rank ${fixed(ranks[item], 2)}`,
    });
  }

  function drawMap(width, item, jacobian) {
    const n = jacobian.length, size = Math.min((width - LEFT - 2) / n, (BOTTOM + 46 - TOP) / n);
    const left = LEFT + (width - LEFT - n * size) / 2, top = TOP + 12;
    const picture = map.clear(width, Math.max(HEIGHT - 20, top + n * size + 28));
    text(picture, left, 14, "slope of each rank (row)", "rb-muted", "start");
    text(picture, left, 32, "in each score (column)", "rb-muted", "start");
    const largest = Math.max(...jacobian.flat().map(Math.abs));
    jacobian.forEach((entries, i) => {
      const look = i === item ? "rb-strong" : "rb-tick";
      text(picture, left - 12, top + 8 + (i + 0.5) * size + 4, letter(i), look);
      text(picture, left + (i + 0.5) * size, top + 8 + n * size + 17, letter(i), look);
      entries.forEach((value, k) => {
        const cell = { x: left + k * size, y: top + 8 + i * size, width: size - 1, height: size - 1 };
        svg(picture, "rect", { ...cell, class: "rb-cell" });
        const strength = Math.sqrt(Math.abs(value) / largest);  // the root: small entries show, beside the large diagonal
        if (value !== 0) svg(picture, "rect", { ...cell, class: value > 0 ? "rb-plus" : "rb-minus", "fill-opacity": 0.6 * strength });
        const shown = value === 0 ? "0" : Math.abs(value) < 0.05 ? "" : fixed(value, Math.abs(value) < 10 ? 1 : 0);
        text(picture, cell.x + size / 2, cell.y + size / 2 + 4, shown, value === 0 ? "rb-tick rb-flat" : "rb-entry-text rb-flat");
      });
    });
  }

  return function draw(total) {
    const scores = get("scores"), item = get("item"), ranker = get("ranker"), knob = get("knob");
    const { ranks, jacobian } = RANKERS[ranker](scores, knob);
    const exact = exactRanks(scores);
    const values = {
      scores, item, ranker, knob, ranks, jacobian: jacobian.flat(),
      rank_error: ranks.reduce((sum, rank, i) => sum + Math.abs(rank - exact[i]), 0) / scores.length,
      reach: reach(scores, jacobian),
      own_slope: jacobian[item][item],
      rank_sum: ranks.reduce((sum, rank) => sum + rank, 0),
    };
    const width = total >= 560 ? (total - GAP) / 2 : total;
    drawRanks(width, scores, item, exact, ranks);
    drawMap(width, item, jacobian);
    choose(ranker);
    showKnob(knob);
    const name = letter(item), full = (scores.length * (scores.length + 1)) / 2;
    errorTile.show(fixed(values.rank_error, 3), ranker === "exact" ? "no knob" : "places, against exact");
    reachTile.show(values.reach === null ? "\u2013" : fixed(values.reach, 3), values.reach === null ? "nobody feels anybody" : "in units of the score");
    slopeTile.show(compact(values.own_slope), values.own_slope === 0 ? `dead for ${name}` : `places per unit of ${name}\u2019s score`);
    sumTile.show(fixed(values.rank_sum, 2), Math.abs(values.rank_sum - full) < 0.005 ? "as it should be" : `should be ${full}`);
    return {
      values,
      summary: `${NAMES[ranker]}: mean rank error ${fixed(values.rank_error, 3)}, reach ${values.reach === null ? "none" : fixed(values.reach, 3)}, ` +
        `slope of ${name} ${compact(values.own_slope)}`,
    };
  };
}

export default figure({ label: "Soft ranks and Jacobian of seven rankers", traits: ["scores", "item", "ranker", "knob"], build });
