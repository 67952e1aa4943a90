// One score moves across the others: its exact rank is a staircase, its smooth rank glides; below, their slopes.
import { exactRanks, sigmoidRankJacobian, sigmoidRanks } from "./math.js";
import { compact, curve, figure, fixed, handle, html, legendEntry, line, linear, logSlider, panel, pressAnywhere, roundTicks, svg, text, tile, tiles } from "./ui.js";

const LEFT = 44, RIGHT = 22;   // room for tick labels, and for half a handle
const RANKS = { top: 34, bottom: 204 };
const STRIP = 232;             // the axis with the items
const SLOPES = { top: 290, bottom: 392 };
const HEIGHT = 434;
const TAU = { min: 0.003, max: 0.3 };

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-stroke rb-exact", "exact rank");
  legendEntry(legend, "rb-stroke rb-smooth", "smooth rank");
  html(legend, "span", { class: "rb-hint" }, "Drag x across the other items.");

  const plot = panel(root);
  const showTau = logSlider(root, { label: "temperature \u03c4", ...TAU, change: (tau) => set({ tau }) });
  const row = tiles(root, 4);
  const exactRank = tile(row, "Exact rank"), smoothRank = tile(row, "Smooth rank");
  const exactSlope = tile(row, "Exact gradient"), smoothSlope = tile(row, "Smooth gradient");

  let x = linear(0, 1, 0, 1);
  const moveTo = (value) => set({ x: Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000 });
  const mover = handle(plot.box, {
    label: "score x", min: 0, max: 1, face: "x",
    scale: () => x, value: () => get("x"), change: moveTo, nudge: (value, steps) => value + steps / 100,
  });
  pressAnywhere(plot.box, mover.knob, () => x, moveTo);

  return function draw(width) {
    const others = get("scores"), here = get("x"), tau = get("tau");
    const n = others.length;
    const exact = (v) => exactRanks([v, ...others])[0];
    const smooth = (v) => sigmoidRanks([v, ...others], tau)[0];
    const slope = (v) => sigmoidRankJacobian([v, ...others], tau)[0][0];

    const end = width - RIGHT;
    x = linear(0, 1, LEFT, end);
    const y = linear(1, n + 1, RANKS.top, RANKS.bottom);
    const picture = plot.clear(width, HEIGHT);

    // Ranks, the best on top.
    text(picture, 0, 14, "rank of x", "rb-muted", "start");
    const every = Math.ceil(n / 8);
    for (let rank = 1; rank <= n + 1; rank += every) {
      line(picture, LEFT, y(rank), end, y(rank), "rb-grid");
      text(picture, LEFT - 10, y(rank) + 4, String(rank), "rb-tick", "end");
    }
    const stops = [...others].sort((a, b) => a - b);
    const corners = stops.map((s) => `H${x(s)}V${y(exact(s + 1e-9))}`).join("");
    svg(picture, "path", { d: `M${x(0)},${y(exact(0))}${corners}H${x(1)}`, class: "rb-curve rb-exact" });
    svg(picture, "path", { d: curve(x, y, smooth, LEFT, end), class: "rb-curve rb-smooth" });

    // Slopes on the same axis. Up is better here too: a negative slope says that a higher score lowers the rank.
    const steepest = stops.reduce((low, s) => Math.min(low, slope(s)), 0);
    const z = linear(0, steepest * 1.12, SLOPES.bottom, SLOPES.top);
    roundTicks(-steepest, 3).forEach((tick) => {
      line(picture, LEFT, z(-tick), end, z(-tick), "rb-grid");
      text(picture, LEFT - 10, z(-tick) + 4, tick ? `\u2212${compact(tick).replace(/\.0+$/, "")}` : "0", "rb-tick", "end");
    });
    svg(picture, "path", { d: curve(x, z, slope, LEFT, end), class: "rb-curve rb-smooth" });
    svg(picture, "path", { d: `M${x(0)},${SLOPES.bottom}H${x(1)}`, class: "rb-curve rb-exact" });
    stops.forEach((s) => {
      line(picture, x(s), RANKS.top, x(s), SLOPES.bottom, "rb-jump");
      svg(picture, "circle", { cx: x(s), cy: SLOPES.bottom, r: 3.5, class: "rb-gap" });
      svg(picture, "circle", { cx: x(s), cy: STRIP, r: 7, class: "rb-mark rb-irrelevant" });
    });
    text(picture, 0, SLOPES.top - 14, "gradient, d rank / dx", "rb-muted", "start");
    [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((tick) => text(picture, x(tick), SLOPES.bottom + 20, fixed(tick, 1), "rb-tick"));
    text(picture, x(0.5), HEIGHT - 3, "score", "rb-muted");

    // Where x stands.
    line(picture, x(here), RANKS.top - 8, x(here), SLOPES.bottom, "rb-guide");
    line(picture, LEFT, STRIP, end, STRIP, "rb-axis");
    // The exact point is the larger one, so that it shows around the smooth one when they agree.
    const dot = (py, cls) => svg(picture, "circle", { cx: x(here), cy: py, r: cls === "rb-exact" ? 7.5 : 4.5, class: `rb-point ${cls}` });
    const values = {
      x: here, tau,
      exact_rank: exact(here), smooth_rank: smooth(here),
      // At a tie the exact rank jumps: it has no derivative there.
      exact_gradient: others.includes(here) ? null : 0,
      smooth_gradient: slope(here),
    };
    dot(y(values.exact_rank), "rb-exact");
    dot(y(values.smooth_rank), "rb-smooth");
    dot(SLOPES.bottom, "rb-exact");
    dot(z(values.smooth_gradient), "rb-smooth");

    mover.place(x(here), STRIP, {
      now: here, shown: fixed(here, 3), cls: "relevant",
      spoken: `score ${fixed(here, 3)}, exact rank ${values.exact_rank}, smooth rank ${fixed(values.smooth_rank, 2)}`,
    });
    showTau(tau);
    const error = values.smooth_rank - values.exact_rank;
    exactRank.show(String(values.exact_rank), `of ${n + 1} items`);
    smoothRank.show(fixed(values.smooth_rank, 3), `exact ${error < 0 ? "\u2212" : "+"} ${fixed(Math.abs(error), 3)}`);
    exactSlope.show(values.exact_gradient === null ? "none" : "0", values.exact_gradient === null ? "a jump: no derivative" : "flat between two jumps");
    smoothSlope.show(compact(values.smooth_gradient), "ranks per unit of score");
    return {
      values,
      summary: `Exact rank ${values.exact_rank} with ${values.exact_gradient === null ? "no gradient" : "gradient zero"}; ` +
        `smooth rank ${fixed(values.smooth_rank, 2)} with gradient ${compact(values.smooth_gradient)}`,
    };
  };
}

export default figure({ label: "The rank of one score among others, exact and smooth", traits: ["scores", "x", "tau"], build });
