// One score moves across the others: its exact rank is a staircase, its smooth rank glides; below, their slopes.
import { handle, logSlider, tiles } from "../core/controls.js";
import { compact, fixed, linear, power, roundTicks } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, FIFTHS, FLOOR, across, circle, curve, line, mark, numbers, panel, path, point, text } from "../core/marks.js";
import { exactRanks, sigmoidRankJacobian, sigmoidRanks } from "../core/math.js";

const LEFT = 44, RIGHT = 22;   // room for tick labels, and for half a handle
const RANKS = { top: 34, bottom: 204 };
const STRIP = 232;             // the axis with the items
const SLOPES = { top: 290, bottom: 392 };
const HEIGHT = 434;

function build({ root, set }) {
  const plot = panel(root);
  const showTau = logSlider(root, { label: "temperature \u03c4", min: 0.001, max: 1, change: (tau) => set({ tau }) });
  const [exactRank, smoothRank, exactSlope, smoothSlope] = tiles(root, ["Exact rank", "Smooth rank", "Exact gradient", "Smooth gradient"]);
  const mover = handle(plot.box, { label: "score x", min: 0, max: 1, digits: 3, face: "x", anywhere: true, change: (x) => set({ x }) });

  return function draw(width, { scores: others, x: here, tau }) {
    const n = others.length;
    const exact = (v) => exactRanks([v, ...others])[0];
    const smooth = (v) => sigmoidRanks([v, ...others], tau)[0];
    const slope = (v) => sigmoidRankJacobian([v, ...others], tau)[0][0];
    const values = {
      exact_rank: exact(here), smooth_rank: smooth(here),
      // At a tie the exact rank jumps: it has no derivative there.
      exact_gradient: others.includes(here) ? null : 0,
      smooth_gradient: slope(here),
    };
    const x = linear(0, 1, LEFT, width - RIGHT), y = linear(1, n + 1, RANKS.top, RANKS.bottom);
    const picture = plot.clear(width, HEIGHT);

    // Ranks, the best on top.
    text(picture, 0, 14, "rank of x", "rb-muted", "start");
    const every = Math.ceil(n / 8);
    across(picture, x, y, Array.from({ length: n + 1 }, (_, i) => i + 1).filter((rank) => (rank - 1) % every === 0));
    const stops = [...others].sort((a, b) => a - b);
    const corners = stops.map((s) => `H${x(s)}V${y(exact(s + 1e-9))}`).join("");
    path(picture, `M${x(0)},${y(exact(0))}${corners}H${x(1)}`, "rb-curve rb-exact");
    curve(picture, x, y, smooth, "rb-smooth");

    // Slopes on the same axis. Up is better here too: a negative slope says that a higher score lowers the rank.
    const steepest = stops.reduce((low, s) => Math.min(low, slope(s)), 0);
    const z = linear(0, steepest * 1.12, SLOPES.bottom, SLOPES.top);
    across(picture, x, z, roundTicks(-steepest).map((tick) => -tick), (tick) => (tick ? compact(tick).replace(/\.0+$/, "") : "0"));
    curve(picture, x, z, slope, "rb-smooth");
    path(picture, `M${x(0)},${SLOPES.bottom}H${x(1)}`, "rb-curve rb-exact");
    stops.forEach((s) => {
      line(picture, x(s), RANKS.top, x(s), SLOPES.bottom, "rb-jump");
      circle(picture, x(s), SLOPES.bottom, 3.5, "rb-gap");
      mark(picture, x(s), STRIP, 7, "irrelevant");
    });
    text(picture, 0, SLOPES.top - 14, "gradient, d rank / dx", "rb-muted", "start");
    numbers(picture, x, FIFTHS, SLOPES.bottom + 20);
    text(picture, x(0.5), HEIGHT - 3, "score", "rb-muted");

    // Where x stands.
    line(picture, x(here), RANKS.top - 8, x(here), SLOPES.bottom, "rb-guide");
    line(picture, x.start, STRIP, x.end, STRIP, "rb-axis");
    point(picture, x(here), y(values.exact_rank), "exact");
    point(picture, x(here), y(values.smooth_rank), "smooth");
    point(picture, x(here), SLOPES.bottom, "exact");
    point(picture, x(here), z(values.smooth_gradient), "smooth");
    mover.place(x, STRIP, {
      now: here, look: "relevant",
      spoken: `score ${fixed(here, 3)}, exact rank ${values.exact_rank}, smooth rank ${fixed(values.smooth_rank, 2)}`,
    });

    showTau(tau);
    const error = values.smooth_rank - values.exact_rank, jumps = values.exact_gradient === null;
    exactRank.show(values.exact_rank, `of ${n + 1} items`);
    smoothRank.show(fixed(values.smooth_rank, 3), `exact ${error < 0 ? "\u2212" : "+"} ${fixed(Math.abs(error), 3)}`);
    exactSlope.show(jumps ? "none" : "0", jumps ? "a jump: no derivative" : "flat between two jumps");
    const size = Math.abs(values.smooth_gradient);
    smoothSlope.show(size < FLOOR ? "\u2248 0" : compact(values.smooth_gradient), size < DEAD ? `dead: below ${power(-6)}` : "ranks per unit of score");
    return {
      values,
      summary: `Exact rank ${values.exact_rank} with ${jumps ? "no gradient" : "gradient zero"}; ` +
        `smooth rank ${fixed(values.smooth_rank, 2)} with gradient ${compact(values.smooth_gradient)}`,
    };
  };
}

export default figure({
  label: "The rank of one score among others, exact and smooth", traits: ["scores", "x", "tau"],
  legend: [["rb-stroke rb-exact", "exact rank"], ["rb-stroke rb-smooth", "smooth rank"]], hint: "Drag x across the other items.",
  build,
});
