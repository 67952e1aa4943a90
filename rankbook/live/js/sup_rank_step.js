// A negative passes a positive. Top: what each step counts; SupRank's in its three pieces, and how far it lies above the
// exact step. Bottom: the slopes on a log axis, where the sigmoid's dies and the line's does not.
import { sigmoid, sigmoidSlope, supStep, supStepSlope } from "./math.js";
import { clamp, compact, curve, figure, fixed, handle, html, legendEntry, line, linear, logarithmic, logSlider, panel, power, pressAnywhere, svg, text, tile, tiles } from "./ui.js";

const LEFT = 44, RIGHT = 22;
const STEPS = { top: 44, bottom: 214 };
const STRIP = 250;      // the axis with the positive and the negative
const SLOPES = { top: 322, bottom: 442 };
const HEIGHT = 464;
const GAP = { min: -0.2, max: 0.5 };
const TOP = 4;          // a line that leaves the picture is followed by the number beside the arrow
const FLOOR = 1e-9;
const DEAD = 1e-6;      // as in the figure of tau: in float32, next to gradients of order 1, less leaves no trace
const KNOBS = [
  ["tau", "temperature \u03c4", { min: 0.003, max: 0.1 }],
  ["rho", "slope \u03c1", { min: 1, max: 300 }],
  ["delta", "knee \u03b4", { min: 0.01, max: 0.3 }],
];

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-stroke rb-exact", "exact step H");
  legendEntry(legend, "rb-stroke rb-smooth rb-dashed", "sigmoid");
  legendEntry(legend, "rb-stroke rb-sup", "SupRank\u2019s H\u207b");
  html(legend, "span", { class: "rb-hint" }, "Drag the negative, then the knobs.");

  const plot = panel(root);
  const sliders = html(root, "div", { class: "rb-sliders" });
  const show = KNOBS.map(([name, label, range]) => [name, logSlider(sliders, { label, ...range, change: (value) => set({ [name]: value }) })]);
  const row = tiles(root, 4);
  const sigmoidTile = tile(row, "Sigmoid"), boundTile = tile(row, "H\u207b");
  const sigmoidSlopeTile = tile(row, "Slope of the sigmoid"), boundSlopeTile = tile(row, "Slope of H\u207b");

  let x = linear(GAP.min, GAP.max, 0, 1);
  const moveTo = (gap) => set({ gap: Math.round(clamp(gap, GAP.min, GAP.max) * 1000) / 1000 });
  const mover = handle(plot.box, {
    label: "gap: score of the negative minus score of the positive", ...GAP, face: "\u2212",
    scale: () => x, value: () => get("gap"), change: moveTo, nudge: (value, steps) => value + steps / 100,
  });
  pressAnywhere(plot.box, mover.knob, () => x, moveTo);

  const y = linear(0, TOP, STEPS.bottom, STEPS.top);
  const logAxis = logarithmic(FLOOR, 1000, SLOPES.bottom, SLOPES.top);
  const z = (value) => logAxis(Math.max(value, FLOOR));

  return function draw(width) {
    const gap = get("gap"), tau = get("tau"), rho = get("rho"), delta = get("delta");
    const end = width - RIGHT;
    x = linear(GAP.min, GAP.max, LEFT, end);
    const bound = (d) => supStep(d, tau, rho, delta);
    const boundSlope = (d) => supStepSlope(d, tau, rho, delta);
    const slope = (d) => sigmoidSlope(d / tau) / tau;
    const values = {
      gap, tau, rho, delta,
      step: Number(gap >= 0), sigmoid: sigmoid(gap / tau), bound: bound(gap),
      sigmoid_slope: slope(gap), bound_slope: boundSlope(gap),
      piece: gap < 0 ? "sigmoid" : gap <= delta ? "sigmoid + 1/2" : "line",
    };

    const picture = plot.clear(width, HEIGHT);
    text(picture, 0, 14, "what one negative adds to the rank of the positive", "rb-muted", "start");
    for (let count = 0; count <= TOP; count++) {
      line(picture, LEFT, y(count), end, y(count), "rb-grid");
      text(picture, LEFT - 10, y(count) + 4, String(count), "rb-tick", "end");
    }

    // The slack of the bound: from H up to H-, cut where it leaves the picture.
    const leaves = delta + Math.max(0, TOP - bound(delta)) / rho;
    const last = Math.min(leaves, GAP.max);
    const behind = curve(x, y, bound, LEFT, x(-1e-9));
    const between = `M${x(0)},${y(1)}${curve(x, y, bound, x(0), x(delta)).replace("M", "L")}L${x(delta)},${y(bound(delta))}`;
    svg(picture, "path", { d: `${behind}L${x(0)},${y(0.5)}V${y(0)}H${LEFT}Z`, class: "rb-slack" });
    svg(picture, "path", { d: `${between}L${x(last)},${y(Math.min(TOP, bound(last)))}${leaves < GAP.max ? `H${end}` : ""}V${y(1)}H${x(0)}Z`, class: "rb-slack" });

    // Where one piece ends and the next begins.
    const upright = (at, from, cls) => {  // in two parts: tick labels stand between them
      line(picture, x(at), from, x(at), STRIP, cls);
      line(picture, x(at), SLOPES.top - 8, x(at), SLOPES.bottom, cls);
    };
    [0, delta].forEach((at) => upright(at, STEPS.top - 20, "rb-guide rb-dotted"));
    [["sigmoid", "\u03c3", GAP.min, 0], ["sigmoid + 1/2", "\u03c3 + \u00bd", 0, delta], ["line", "line", delta, GAP.max]].forEach(([piece, label, from, to]) => {
      if (x(to) - x(from) > 40) text(picture, x((from + to) / 2), STEPS.top - 8, label, values.piece === piece ? "rb-strong" : "rb-muted");
    });

    svg(picture, "path", { d: `M${LEFT},${y(0)}H${x(0)}V${y(1)}H${end}`, class: "rb-curve rb-exact" });
    svg(picture, "path", { d: curve(x, y, (d) => sigmoid(d / tau), LEFT, end), class: "rb-curve rb-smooth rb-dashed" });
    [behind, between, `M${x(delta)},${y(bound(delta))}L${x(last)},${y(bound(last))}`].forEach((d) => svg(picture, "path", { d, class: "rb-curve rb-sup" }));
    svg(picture, "circle", { cx: x(0), cy: y(0.5), r: 4, class: "rb-gap rb-sup" });

    // Slopes.
    text(picture, 0, SLOPES.top - 16, "slope, log scale", "rb-muted", "start");
    svg(picture, "rect", { x: LEFT, y: z(DEAD), width: end - LEFT, height: SLOPES.bottom - z(DEAD), class: "rb-dead" });
    [-9, -6, -3, 0, 3].forEach((exponent) => {
      line(picture, LEFT, z(10 ** exponent), end, z(10 ** exponent), "rb-grid");
      text(picture, LEFT - 8, z(10 ** exponent) + 4, power(exponent), "rb-tick", "end");
    });
    text(picture, LEFT + 6, SLOPES.bottom - 9, `dead: below ${power(-6)}`, "rb-muted rb-flat", "start");
    svg(picture, "path", { d: `${curve(x, z, slope, LEFT, x(delta), FLOOR)}M${x(delta)},${z(rho)}H${end}`, class: "rb-curve rb-sup" });
    svg(picture, "path", { d: curve(x, z, slope, LEFT, end, FLOOR), class: "rb-curve rb-smooth rb-dashed" });

    // Where the negative stands. The exact point is the largest, so that it shows around the others when they agree.
    upright(gap, STEPS.top, "rb-guide");
    const dot = (py, r, cls) => svg(picture, "circle", { cx: x(gap), cy: py, r, class: `rb-point ${cls}` });
    dot(y(values.step), 7.5, "rb-exact");
    dot(y(values.sigmoid), 4.5, "rb-smooth");
    if (values.bound <= TOP) dot(y(values.bound), 5.5, "rb-sup");
    else {
      svg(picture, "path", { d: `M${x(gap)},${STEPS.top - 9}l6,10h-12z`, class: "rb-point rb-sup" });
      const right = x(gap) > end - 90;
      text(picture, x(gap) + (right ? -12 : 12), STEPS.top + 18, compact(values.bound), "rb-strong", right ? "end" : "start");
    }
    dot(z(values.sigmoid_slope), 5.5, "rb-smooth");
    dot(z(values.bound_slope), 5.5, "rb-sup");

    line(picture, LEFT, STRIP, end, STRIP, "rb-axis");
    svg(picture, "circle", { cx: x(0), cy: STRIP, r: 11, class: "rb-mark rb-relevant" });
    text(picture, x(0), STRIP + 5, "+", "rb-letter rb-relevant");
    [-0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5].forEach((tick) => text(picture, x(tick), STRIP + 32, fixed(tick, 1), "rb-tick"));
    text(picture, end, HEIGHT - 3, "gap: negative minus positive score", "rb-muted", "end");
    mover.place(x(gap), STRIP, {
      now: gap, shown: fixed(gap, 3), cls: "irrelevant",
      spoken: `gap ${fixed(gap, 3)}, exact step ${values.step}, sigmoid ${fixed(values.sigmoid, 3)}, H minus ${compact(values.bound)}`,
    });
    show.forEach(([name, update]) => update(get(name)));

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

export default figure({ label: "The exact step, the sigmoid and SupRank's step of one negative", traits: ["gap", "tau", "rho", "delta"], build });
