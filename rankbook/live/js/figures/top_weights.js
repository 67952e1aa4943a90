// Eight patients for an organ, a row each: what two linear fits predict, beside the outcome; and whom each of them recommends.
import { handle, tiles } from "../core/controls.js";
import { fixed, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { axis, circle, line, mark, panel, text } from "../core/marks.js";
import { exactRanks } from "../core/math.js";
import { letter } from "../shared/items.js";

const POINTS = [6, 5.5, 5, 4, 3, 2.5, 2, 1.5], GAP = [0, -10, -25, -30, 10, 35, -15, -5];
const KAPPA = 20, SWEEPS = 20, TOP = 54, ROW = 29, FLOOR = TOP + 8 * ROW, FIRST = FLOOR + 78, MISFIT = FIRST + 92, HEIGHT = MISFIT + 58;
const BOTH = [["all", "irrelevant"], ["first", "relevant"]];

const total = (values) => values.reduce((sum, value) => sum + value, 0);
const dot = (a, b) => total(a.map((value, k) => value * b[k]));
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const design = POINTS.map((points, i) => [1, points, GAP[i] / 10]);

// The least weighted squared error: three normal equations, by Cramer's rule.
function fit(outcome, weights) {
  const rows = [0, 1, 2].map((a) => [0, 1, 2].map((b) => total(design.map((row, i) => weights[i] * row[a] * row[b]))));
  const right = [0, 1, 2].map((a) => total(design.map((row, i) => weights[i] * row[a] * outcome[i])));
  const whole = dot(rows[0], cross(rows[1], rows[2]));  // the matrix is symmetric: its rows are its columns
  const solved = [
    dot(right, cross(rows[1], rows[2])) / whole, dot(rows[0], cross(right, rows[2])) / whole, dot(rows[0], cross(rows[1], right)) / whole,
  ];
  return design.map((row) => dot(row, solved));
}

function solve(n, misfit) {
  const outcome = POINTS.map((points, i) => points - (misfit * Math.max(0, GAP[i])) / 10);
  const of_all = fit(outcome, POINTS.map(() => 1));
  let of_first = of_all;
  for (let sweep = 0; sweep < SWEEPS; sweep++) of_first = fit(outcome, exactRanks(of_first).map((rank) => 1 + KAPPA * Math.exp(-(rank - 1) / n)));
  const error = (found) => Math.sqrt(total(found.map((value, i) => (value - outcome[i]) ** 2)) / 8);
  const chosen = (found) => exactRanks(found).map((rank) => Number(rank <= n));
  const mean = (which) => dot(which, outcome) / total(which);
  const [chosen_all, chosen_first, chosen_best] = [of_all, of_first, outcome].map(chosen);
  return {
    outcome, of_all, of_first, error_all: error(of_all), error_first: error(of_first),
    mean_all: mean(chosen_all), mean_first: mean(chosen_first), mean_best: mean(chosen_best), chosen_all, chosen_first, chosen_best,
  };
}

const names = (chosen) => chosen.map((one, i) => (one ? letter(i) : "")).join("");

function build({ root, set }) {
  const plot = panel(root);
  const nKnob = handle(plot.box, {
    label: "N, patients that are recommended", min: 1, max: 7, digits: 0, face: "N", nudge: (value, steps) => value + steps, change: (n) => set({ n }),
  });
  const misfitKnob = handle(plot.box, {
    label: "misfit of the old score", min: 0, max: 3, digits: 1, face: "m", nudge: (value, steps) => value + steps / 10, change: (misfit) => set({ misfit }),
  });
  const [allTile, firstTile, bestTile] = tiles(root, ["Fit of all", "Fit for the first N", "The best N"]);

  return function draw(width, { n, misfit }) {
    const values = solve(n, misfit), everything = [...values.outcome, ...values.of_all, ...values.of_first];
    const narrow = width < 600, left = narrow ? 92 : 190, right = 74;
    const low = Math.floor(Math.min(...everything)), high = Math.ceil(Math.max(...everything)), picture = plot.clear(width, HEIGHT);
    const x = linear(low, high, left + 12, width - right - 14), places = [width - right + 16, width - right + 52];
    text(picture, 0, 18, narrow ? "points, donor" : "points, and how much older the donor is", "rb-muted", "start");
    text(picture, (places[0] + places[1]) / 2, 18, "chosen by", "rb-muted");
    text(picture, places[0], 36, "all", "rb-tick");
    text(picture, places[1], 36, "first", "rb-tick");
    POINTS.forEach((points, i) => {
      const y = TOP + ROW * i + ROW / 2, years = `${GAP[i] > 0 ? "+" : ""}${fixed(GAP[i], 0)}`;
      line(picture, 0, y + ROW / 2, width, y + ROW / 2, "rb-grid");
      text(picture, 8, y + 5, letter(i), values.chosen_best[i] ? "rb-strong" : "rb-muted");
      text(picture, 24, y + 5, narrow ? `${points}, ${years}` : `${points} points, ${years} years`, "rb-tick", "start");
      BOTH.forEach(([name, look], k) => {
        const at = y + (k ? 5 : -5);
        line(picture, x(values.outcome[i]), at, x(values[`of_${name}`][i]), at, `rb-push rb-${look}`);
        if (values[`chosen_${name}`][i]) mark(picture, places[k], y, 8, look);
      });
      circle(picture, x(values.outcome[i]), y, 7, "rb-gap");
      BOTH.forEach(([name, look], k) => mark(picture, x(values[`of_${name}`][i]), y + (k ? 5 : -5), 4.5, look));
    });
    const step = high - low > 10 ? 4 : 2, ticks = Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, k) => Math.ceil(low / step) * step + k * step);
    axis(picture, x, FLOOR + 4, ticks.filter((tick) => tick <= high), { label: (tick) => fixed(tick, 0), name: "outcome and predictions, in points", below: 18 });
    const z = linear(1, 7, 30, width - 30), m = linear(0, 3, 30, width - 30);
    axis(picture, z, FIRST, [1, 2, 3, 4, 5, 6, 7], { label: String, name: "N, patients that are recommended" });
    nKnob.place(z, FIRST, { now: n, spoken: `${n} patients are recommended` });
    axis(picture, m, MISFIT, [0, 1, 2, 3], { label: String, name: narrow ? "misfit m, points for ten years" : "misfit m: points lost for every ten years that the donor is older" });
    misfitKnob.place(m, MISFIT, { now: misfit, spoken: `misfit ${fixed(misfit, 1)}` });

    const { mean_all, mean_first, mean_best, error_all, error_first } = values;
    allTile.show(fixed(mean_all, 2), `${names(values.chosen_all)}, RMSE ${fixed(error_all, 2)}`);
    firstTile.show(fixed(mean_first, 2), `${names(values.chosen_first)}, RMSE ${fixed(error_first, 2)}`);
    bestTile.show(fixed(mean_best, 2), `${names(values.chosen_best)}, points on average`);
    return {
      values,
      summary: `Fit of all: ${names(values.chosen_all)}, ${fixed(mean_all, 2)} points. Fit for the first ${n}: ${names(values.chosen_first)}, ${fixed(mean_first, 2)} points, RMSE ${fixed(error_first, 2)} against ${fixed(error_all, 2)}`,
    };
  };
}

export default figure({
  label: "Who is recommended by a fit of all and by a fit for the first N", traits: ["n", "misfit"],
  legend: [["rb-dot rb-exact", "outcome"], ["rb-dot rb-irrelevant", "fit of all"], ["rb-dot rb-relevant", "fit for the first N"]],
  hint: "Who would do best, and which fit leaves that patient out? Drag N, then m.",
  build,
});
