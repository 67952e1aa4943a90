// A positive and a negative, `gap` apart. Left: every gap at this tau. Right: every tau at this gap. Top: the smooth rank
// of the positive against the exact one. Bottom: its gradient on a log axis, dead below 1e-6.
import { exactRanks, sigmoidRanks, sigmoidSlope } from "./math.js";
import { compact, curve, figure, fixed, handle, html, legendEntry, line, linear, logarithmic, nudgeLog, panel, power, pressAnywhere, svg, text, threeFigures, tile, tiles } from "./ui.js";

const LEFT = 44, RIGHT = 22, COLUMNS = 24;
const RANK = { top: 54, bottom: 144 };
const GRADIENT = { top: 186, bottom: 306 };
const STRIP = 332;      // the axis with the handle
const HEIGHT = 384;
const TAU = { min: 0.003, max: 1 };
const GAP = 1;
const FLOOR = 1e-9;     // where the log axis ends
const DEAD = 1e-6;      // in float32, next to gradients of order 1, less than this leaves no trace

const gradient = (gap, tau) => sigmoidSlope(gap / tau) / tau;
const smooth = (gap, tau) => sigmoidRanks([0, gap], tau)[0];
const exact = (gap) => exactRanks([0, gap])[0];

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-stroke rb-exact", "exact rank");
  legendEntry(legend, "rb-stroke rb-smooth", "smooth rank and its gradient");
  html(legend, "span", { class: "rb-hint" }, "Drag the negative, then \u03c4.");

  const pair = html(root, "div", { class: "rb-pair" });
  const byGap = panel(pair), byTau = panel(pair);
  const row = tiles(root, 4);
  const rankTile = tile(row, "Smooth rank"), gradientTile = tile(row, "Gradient");
  const shareTile = tile(row, "Share of maximum"), verdictTile = tile(row, "Verdict");

  let x = linear(-GAP, GAP, 0, 1), t = logarithmic(TAU.min, TAU.max, 0, 1);
  const setGap = (gap) => set({ gap: Math.round(Math.min(GAP, Math.max(-GAP, gap)) * 100) / 100 });
  const setTau = (tau) => set({ tau: Math.min(TAU.max, Math.max(TAU.min, threeFigures(tau))) });
  const gapHandle = handle(byGap.box, {
    label: "gap: score of the negative minus score of the positive", min: -GAP, max: GAP, face: "\u2212",
    scale: () => x, value: () => get("gap"), change: setGap, nudge: (value, steps) => value + steps / 100,
  });
  const tauHandle = handle(byTau.box, {
    label: "temperature tau", ...TAU, face: "\u03c4", scale: () => t, value: () => get("tau"), change: setTau, nudge: nudgeLog,
  });
  pressAnywhere(byGap.box, gapHandle.knob, () => x, setGap);
  pressAnywhere(byTau.box, tauHandle.knob, () => t, setTau);

  const rankAxis = linear(1, 2, RANK.top, RANK.bottom);
  const logAxis = logarithmic(FLOOR, 100, GRADIENT.bottom, GRADIENT.top);
  const gradientAxis = (value) => logAxis(Math.max(value, FLOOR));

  // One column: ranks above, gradients below, both over `scale`, with the current state marked on each curve.
  function column(target, width, { title, scale, here, rankAt, gradientAt, exactPath, now }) {
    const end = width - RIGHT;
    const picture = target.clear(width, HEIGHT);
    text(picture, 0, 14, title, "rb-strong", "start");
    text(picture, 0, RANK.top - 16, "rank of the positive", "rb-muted", "start");
    [1, 1.5, 2].forEach((rank) => {
      line(picture, LEFT, rankAxis(rank), end, rankAxis(rank), "rb-grid");
      text(picture, LEFT - 10, rankAxis(rank) + 4, String(rank), "rb-tick", "end");
    });
    text(picture, 0, GRADIENT.top - 16, "size of its gradient, log scale", "rb-muted", "start");
    const deadline = gradientAxis(DEAD);
    svg(picture, "rect", { x: LEFT, y: deadline, width: end - LEFT, height: GRADIENT.bottom - deadline, class: "rb-dead" });
    [-9, -6, -3, 0].forEach((exponent) => {
      line(picture, LEFT, gradientAxis(10 ** exponent), end, gradientAxis(10 ** exponent), "rb-grid");
      text(picture, LEFT - 8, gradientAxis(10 ** exponent) + 4, power(exponent), "rb-tick", "end");
    });

    svg(picture, "path", { d: exactPath(end), class: "rb-curve rb-exact" });
    svg(picture, "path", { d: curve(scale, rankAxis, rankAt, LEFT, end), class: "rb-curve rb-smooth" });
    svg(picture, "path", { d: curve(scale, gradientAxis, gradientAt, LEFT, end, FLOOR), class: "rb-curve rb-smooth" });

    const px = scale(here);
    line(picture, px, RANK.top - 8, px, STRIP, "rb-guide");
    line(picture, px, rankAxis(now.exact_rank), px, rankAxis(now.smooth_rank), "rb-error");
    svg(picture, "circle", { cx: px, cy: rankAxis(now.exact_rank), r: 7.5, class: "rb-point rb-exact" });
    svg(picture, "circle", { cx: px, cy: rankAxis(now.smooth_rank), r: 4.5, class: "rb-point rb-smooth" });
    svg(picture, "circle", { cx: px, cy: gradientAxis(now.gradient), r: 5.5, class: "rb-point rb-smooth" });
    text(picture, end - 6, GRADIENT.bottom - 9, `dead: below ${power(-6)}`, "rb-muted rb-flat", "end");
    line(picture, LEFT, STRIP, end, STRIP, "rb-axis");
    return { picture, end };
  }

  return function draw(total) {
    const gap = get("gap"), tau = get("tau");
    const width = total >= 620 ? (total - COLUMNS) / 2 : total;
    x = linear(-GAP, GAP, LEFT, width - RIGHT);
    t = logarithmic(TAU.min, TAU.max, LEFT, width - RIGHT);
    const values = {
      gap, tau,
      exact_rank: exact(gap), smooth_rank: smooth(gap, tau),
      gradient: gradient(gap, tau),
      share_of_maximum: gradient(gap, tau) / gradient(0, tau),
    };
    values.rank_error = Math.abs(values.smooth_rank - values.exact_rank);
    values.dead = values.gradient < DEAD;

    const left = column(byGap, width, {
      title: `every gap, at \u03c4 = ${tau}`, scale: x, here: gap, now: values,
      rankAt: (d) => smooth(d, tau), gradientAt: (d) => gradient(d, tau),
      exactPath: (end) => `M${LEFT},${rankAxis(1)}H${x(0)}V${rankAxis(2)}H${end}`,
    });
    [-1, -0.5, 0, 0.5, 1].forEach((tick) => text(left.picture, x(tick), STRIP + 32, fixed(tick, 1), "rb-tick"));
    text(left.picture, x(0), HEIGHT - 3, "gap: negative minus positive score", "rb-muted");
    svg(left.picture, "circle", { cx: x(0), cy: STRIP, r: 11, class: "rb-mark rb-relevant" });
    text(left.picture, x(0), STRIP + 5, "+", "rb-letter rb-relevant");
    gapHandle.place(x(gap), STRIP, {
      now: gap, shown: fixed(gap, 2), cls: "irrelevant",
      spoken: `gap ${fixed(gap, 2)}, gradient ${compact(values.gradient)}${values.dead ? ", dead" : ""}`,
    });

    const right = column(byTau, width, {
      title: `every \u03c4, at gap ${fixed(gap, 2)}`, scale: t, here: tau, now: values,
      rankAt: (v) => smooth(gap, v), gradientAt: (v) => gradient(gap, v),
      exactPath: (end) => `M${LEFT},${rankAxis(values.exact_rank)}H${end}`,
    });
    [0.003, 0.01, 0.03, 0.1, 0.3, 1].forEach((tick) => text(right.picture, t(tick), STRIP + 32, String(tick), "rb-tick"));
    text(right.picture, (t(TAU.min) + t(TAU.max)) / 2, HEIGHT - 3, "temperature \u03c4, log scale", "rb-muted");
    tauHandle.place(t(tau), STRIP, {
      now: tau, shown: String(tau), cls: "neutral",
      spoken: `tau ${tau}, gradient ${compact(values.gradient)}${values.dead ? ", dead" : ""}`,
    });

    rankTile.show(fixed(values.smooth_rank, 3), `exact ${values.exact_rank}, error ${compact(values.rank_error)}`);
    gradientTile.show(compact(values.gradient), `maximum ${compact(gradient(0, tau))}, at gap 0`);
    shareTile.show(`${compact(100 * values.share_of_maximum)} %`, `the gap is ${compact(Math.abs(gap) / tau)} \u03c4`);
    // More than a tenth of a rank off counts as wrong here.
    const verdict = values.dead ? ["dead", "exact, but nothing moves"] : values.rank_error > 0.1 ? ["alive, but wrong", "the rank is > 0.1 off"] : ["alive", "the rank is < 0.1 off"];
    verdictTile.show(...verdict);
    return {
      values,
      summary: `Smooth rank ${fixed(values.smooth_rank, 3)}, exact ${values.exact_rank}; gradient ${compact(values.gradient)}: ${verdict.join(", ")}`,
    };
  };
}

export default figure({ label: "Temperature against gradient for a positive and a negative", traits: ["gap", "tau"], build });
