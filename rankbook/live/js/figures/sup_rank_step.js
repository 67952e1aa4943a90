// An irrelevant item passes a relevant one. Top: what each step counts; SupRank's in its three pieces, and how far it lies above the
// exact step. Bottom: the slopes on a log axis, where the sigmoid's dies and the line's does not.
import { handle, logSlider, tiles } from "../core/controls.js";
import { compact, fixed, html, linear, logarithmic, power } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, DEAD_ENTRY, FLOOR, across, axis, circle, curve, gradientAxis, line, mark, panel, path, point, text, trace } from "../core/marks.js";
import { sigmoid, sigmoidSlope } from "../core/math.js";
import { supStep, supStepSlope } from "../shared/suprank.js";

const LEFT = 44, RIGHT = 22;
const STEPS = { top: 44, bottom: 214 };
const STRIP = 250;      // the axis with both items
const SLOPES = { top: 340, bottom: 460 };
const HEIGHT = 468;
const GAP = { min: -0.2, max: 0.5 };
const TOP = 4;          // a line that leaves the picture is followed by the number beside the arrow
const KNOBS = [
  ["tau", "temperature \u03c4", { min: 0.003, max: 0.1 }],
  ["rho", "slope \u03c1", { min: 1, max: 300 }],
  ["delta", "knee \u03b4", { min: 0.01, max: 0.3 }],
];

function build({ root, set }) {
  const plot = panel(root);
  const sliders = html(root, "div", { class: "rb-sliders" });
  const show = KNOBS.map(([name, label, range]) => [name, logSlider(sliders, { label, ...range, change: (value) => set({ [name]: value }) })]);
  const [sigmoidTile, boundTile, sigmoidSlopeTile, boundSlopeTile] = tiles(root, ["Sigmoid", "H\u207b", "Slope of the sigmoid", "Slope of H\u207b"]);
  const mover = handle(plot.box, {
    label: "lead of the irrelevant item over the relevant one", ...GAP, digits: 3, face: "\u2212", anywhere: true, change: (gap) => set({ gap }),
  });
  const y = linear(0, TOP, STEPS.bottom, STEPS.top), z = logarithmic(FLOOR, 1000, SLOPES.bottom, SLOPES.top);

  return function draw(width, state) {
    const { gap, tau, rho, delta } = state;
    const x = linear(GAP.min, GAP.max, LEFT, width - RIGHT);
    const bound = (d) => supStep(d, tau, rho, delta), boundSlope = (d) => supStepSlope(d, tau, rho, delta);
    const slope = (d) => sigmoidSlope(d / tau) / tau;
    const values = {
      step: Number(gap >= 0), sigmoid: sigmoid(gap / tau), bound: bound(gap),
      sigmoid_slope: slope(gap), bound_slope: boundSlope(gap),
      piece: gap < 0 ? "sigmoid" : gap <= delta ? "sigmoid + 1/2" : "line",
    };

    const picture = plot.clear(width, HEIGHT);
    text(picture, 0, 14, "what one irrelevant item adds to the rank of a relevant one", "rb-muted", "start");
    across(picture, x, y, Array.from({ length: TOP + 1 }, (_, count) => count));

    // The slack of the bound: from H up to H-, cut where it leaves the picture.
    const leaves = delta + Math.max(0, TOP - bound(delta)) / rho, last = Math.min(leaves, GAP.max);
    const behind = trace(x, y, bound, { end: x(-1e-9) });
    const between = `M${x(0)},${y(1)}${trace(x, y, bound, { start: x(0), end: x(delta) }).replace("M", "L")}L${x(delta)},${y(bound(delta))}`;
    path(picture, `${behind}L${x(0)},${y(0.5)}V${y(0)}H${LEFT}Z`, "rb-slack");
    path(picture, `${between}L${x(last)},${y(Math.min(TOP, bound(last)))}${leaves < GAP.max ? `H${x.end}` : ""}V${y(1)}H${x(0)}Z`, "rb-slack");

    // Where one piece ends and the next begins.
    const upright = (at, from, cls) => {  // in two parts: the axis and its numbers stand between them
      line(picture, x(at), from, x(at), STRIP, cls);
      line(picture, x(at), SLOPES.top - 8, x(at), SLOPES.bottom, cls);
    };
    [0, delta].forEach((at) => upright(at, STEPS.top - 20, "rb-guide rb-dotted"));
    [["sigmoid", "\u03c3", GAP.min, 0], ["sigmoid + 1/2", "\u03c3 + \u00bd", 0, delta], ["line", "line", delta, GAP.max]].forEach(([piece, label, from, to]) => {
      if (x(to) - x(from) > 40) text(picture, x((from + to) / 2), STEPS.top - 8, label, values.piece === piece ? "rb-strong" : "rb-muted");
    });

    path(picture, `M${LEFT},${y(0)}H${x(0)}V${y(1)}H${x.end}`, "rb-curve rb-exact");
    curve(picture, x, y, (d) => sigmoid(d / tau), "rb-smooth rb-dashed");
    path(picture, `${behind}${between}M${x(delta)},${y(bound(delta))}L${x(last)},${y(bound(last))}`, "rb-curve rb-sup");
    circle(picture, x(0), y(0.5), 4, "rb-gap rb-sup");

    text(picture, 0, SLOPES.top - 16, "slope, log scale", "rb-muted", "start");
    gradientAxis(picture, x, z, [-9, -6, -3, 0, 3]);
    path(picture, `${trace(x, z, slope, { end: x(delta), floor: FLOOR })}M${x(delta)},${z(rho)}H${x.end}`, "rb-curve rb-sup");
    curve(picture, x, z, slope, "rb-smooth rb-dashed", { floor: FLOOR });

    // Where the irrelevant item stands.
    upright(gap, STEPS.top, "rb-guide");
    point(picture, x(gap), y(values.step), "exact");
    point(picture, x(gap), y(values.sigmoid), "smooth");
    if (values.bound <= TOP) point(picture, x(gap), y(values.bound), "sup");
    else {
      path(picture, `M${x(gap)},${STEPS.top - 9}l6,10h-12z`, "rb-point rb-sup");
      const right = x(gap) > x.end - 90;
      text(picture, x(gap) + (right ? -12 : 12), STEPS.top + 18, compact(values.bound), "rb-strong", right ? "end" : "start");
    }
    point(picture, x(gap), z(values.sigmoid_slope), "smooth", 5.5);
    point(picture, x(gap), z(values.bound_slope), "sup");
    axis(picture, x, STRIP, [-0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5], { name: "lead: irrelevant minus relevant score", anchor: "end" });
    mark(picture, x(0), STRIP, 11, "relevant", "+");
    mover.place(x, STRIP, {
      now: gap, look: "irrelevant",
      spoken: `lead ${fixed(gap, 3)}, exact step ${values.step}, sigmoid ${fixed(values.sigmoid, 3)}, H minus ${compact(values.bound)}`,
    });
    show.forEach(([name, update]) => update(state[name]));

    const above = (value) => `H ${value < values.step ? "\u2212" : "+"} ${compact(Math.abs(value - values.step))}`;
    const holds = values.sigmoid >= values.step;
    // From 1 on, sigma itself rounds to 1; 1 - sigma(x) = sigma(-x) keeps its digits.
    const short = sigmoid(-gap / tau);
    sigmoidTile.show(fixed(values.sigmoid, 4), holds ? `${above(values.sigmoid)}: above H here` : `H \u2212 ${compact(short)}: no bound`);
    boundTile.show(compact(values.bound), `${above(values.bound)}: a bound`);
    sigmoidSlopeTile.show(compact(values.sigmoid_slope), values.sigmoid_slope < DEAD ? `dead: below ${power(-6)}` : "ranks per unit of score");
    boundSlopeTile.show(compact(values.bound_slope), values.piece === "line" ? "\u03c1, however far ahead" : "that of the sigmoid");
    return {
      values,
      summary: `Exact step ${values.step}; sigmoid ${fixed(values.sigmoid, 4)}, ${holds ? "above" : "below"} it, slope ${compact(values.sigmoid_slope)}; ` +
        `H minus ${compact(values.bound)}, piece ${values.piece}, slope ${compact(values.bound_slope)}`,
    };
  };
}

export default figure({
  label: "The exact step, the sigmoid and SupRank's step of one irrelevant item", traits: ["gap", "tau", "rho", "delta"],
  legend: [["rb-stroke rb-exact", "exact step H"], ["rb-stroke rb-smooth rb-dashed", "sigmoid"], ["rb-stroke rb-sup", "SupRank\u2019s H\u207b"], DEAD_ENTRY],
  hint: "Drag the hollow item.",
  build,
});
