// A relevant and an irrelevant item, `gap` apart. Left: every gap at this tau. Right: every tau at this gap. Top: the smooth
// rank of the relevant item against the exact one. Bottom: its gradient on a log axis, dead below 1e-6.
import { handle, onLogAxis, tiles } from "../core/controls.js";
import { compact, fixed, html, linear, logarithmic, power } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, DEAD_ENTRY, FLOOR, across, axis, curve, gradientAxis, line, mark, panel, path, point, text } from "../core/marks.js";
import { exactRanks, sigmoidRanks, sigmoidSlope } from "../core/math.js";

const LEFT = 44, RIGHT = 22, COLUMNS = 24;
const RANK = { top: 54, bottom: 144 };
const GRADIENT = { top: 186, bottom: 306 };
const STRIP = 348;      // the axis with the handle; what stands above the handle clears the axis of the gradient
const HEIGHT = 400;
const TAU = { min: 0.001, max: 1 };
const GAP = { min: -1, max: 1 };

const gradient = (gap, tau) => sigmoidSlope(gap / tau) / tau;
const smooth = (gap, tau) => sigmoidRanks([0, gap], tau)[0];
const exact = (gap) => exactRanks([0, gap])[0];
const y = linear(1, 2, RANK.top, RANK.bottom), z = logarithmic(FLOOR, 100, GRADIENT.bottom, GRADIENT.top);

// One column: ranks above, gradients below, both over `x`, with the current state marked on each curve.
function column(plot, width, { title, x, here, rankAt, gradientAt, exactPath, now }) {
  const picture = plot.clear(width, HEIGHT), px = x(here);
  text(picture, 0, 14, title, "rb-strong", "start");
  text(picture, 0, RANK.top - 16, "rank of the relevant item", "rb-muted", "start");
  across(picture, x, y, [1, 1.5, 2]);
  text(picture, 0, GRADIENT.top - 16, "size of its gradient, log scale", "rb-muted", "start");
  gradientAxis(picture, x, z, [-9, -6, -3, 0]);
  path(picture, exactPath, "rb-curve rb-exact");
  curve(picture, x, y, rankAt, "rb-smooth");
  curve(picture, x, z, gradientAt, "rb-smooth", { floor: FLOOR });

  line(picture, px, RANK.top - 8, px, STRIP, "rb-guide");
  line(picture, px, y(now.exact_rank), px, y(now.smooth_rank), "rb-error");
  point(picture, px, y(now.exact_rank), "exact");
  point(picture, px, y(now.smooth_rank), "smooth");
  point(picture, px, z(now.gradient), "smooth", 5.5);
  return picture;
}

function build({ root, set }) {
  const pair = html(root, "div", { class: "rb-pair" });
  const byGap = panel(pair), byTau = panel(pair);
  const [rankTile, gradientTile, gapTile, verdictTile] = tiles(root, ["Smooth rank", "Gradient", "Gap", "Verdict"]);
  const gapHandle = handle(byGap.box, {
    label: "gap: score of the irrelevant minus score of the relevant item", ...GAP, face: "\u2212", anywhere: true, change: (gap) => set({ gap }),
  });
  const tauHandle = handle(byTau.box, { label: "temperature tau", ...TAU, ...onLogAxis, face: "\u03c4", anywhere: true, change: (tau) => set({ tau }) });

  return function draw(total, { gap, tau }) {
    const width = total >= 620 ? (total - COLUMNS) / 2 : total;
    const values = {
      exact_rank: exact(gap), smooth_rank: smooth(gap, tau),
      gradient: gradient(gap, tau),
      share_of_maximum: gradient(gap, tau) / gradient(0, tau),
    };
    values.rank_error = Math.abs(values.smooth_rank - values.exact_rank);
    values.dead = values.gradient < DEAD;
    const isDead = values.dead ? ", dead" : "";

    const x = linear(GAP.min, GAP.max, LEFT, width - RIGHT);
    const left = column(byGap, width, {
      title: `every gap, at \u03c4 = ${tau}`, x, here: gap, now: values,
      rankAt: (d) => smooth(d, tau), gradientAt: (d) => gradient(d, tau),
      exactPath: `M${LEFT},${y(1)}H${x(0)}V${y(2)}H${x.end}`,
    });
    axis(left, x, STRIP, [-1, -0.5, 0, 0.5, 1], { name: "gap: irrelevant minus relevant score" });
    mark(left, x(0), STRIP, 11, "relevant", "+");
    gapHandle.place(x, STRIP, { now: gap, look: "irrelevant", spoken: `gap ${fixed(gap, 2)}, gradient ${compact(values.gradient)}${isDead}` });

    const t = logarithmic(TAU.min, TAU.max, LEFT, width - RIGHT);
    const right = column(byTau, width, {
      title: `every \u03c4, at gap ${fixed(gap, 2)}`, x: t, here: tau, now: values,
      rankAt: (v) => smooth(gap, v), gradientAt: (v) => gradient(gap, v),
      exactPath: `M${LEFT},${y(values.exact_rank)}H${t.end}`,
    });
    axis(right, t, STRIP, [0.001, 0.01, 0.1, 1], { label: String, name: "temperature \u03c4, log scale" });
    tauHandle.place(t, STRIP, { now: tau, shown: String(tau), spoken: `tau ${tau}, gradient ${compact(values.gradient)}${isDead}` });

    rankTile.show(fixed(values.smooth_rank, 3), `exact ${values.exact_rank}, error ${compact(values.rank_error)}`);
    // As on its axis, what is below the floor is not told apart: the digits would run into the next tile.
    gradientTile.show(values.gradient < FLOOR ? `< ${power(-9)}` : compact(values.gradient), `maximum ${compact(gradient(0, tau))}, at gap 0`);
    gapTile.show(`${compact(gap / tau)} \u03c4`, `${values.share_of_maximum < 1e-4 ? "< 0.01" : compact(100 * values.share_of_maximum)} % of the maximum`);
    // More than a tenth of a rank off counts as wrong here.
    const verdict = values.dead ? ["dead", "exact, but nothing moves"] : values.rank_error > 0.1 ? ["alive, but wrong", "the rank is > 0.1 off"] : ["alive", "the rank is < 0.1 off"];
    verdictTile.show(...verdict);
    return {
      values,
      summary: `Smooth rank ${fixed(values.smooth_rank, 3)}, exact ${values.exact_rank}; gradient ${compact(values.gradient)}: ${verdict.join(", ")}`,
    };
  };
}

export default figure({
  label: "Temperature against gradient for a relevant and an irrelevant item", traits: ["gap", "tau"],
  legend: [["rb-stroke rb-exact", "exact rank"], ["rb-stroke rb-smooth", "smooth rank and its gradient"], DEAD_ENTRY],
  hint: "Drag the irrelevant item, then \u03c4.",
  build,
});
