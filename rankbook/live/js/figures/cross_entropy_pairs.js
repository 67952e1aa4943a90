// Eight embeddings on a circle and two class vectors, trained by cross-entropy; beside it the loss and the pairs that bound it.
import { button, handle, logSlider, slider, tiles } from "../core/controls.js";
import { fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { across, axis, circle, line, panel, path, point, text } from "../core/marks.js";
import { compass, rings } from "../shared/on_circle.js";
import { letter, replaced } from "../shared/items.js";
import { STEPS, square, training } from "../shared/softmax_training.js";

const SIDE = 340, FACE = 30, CHART = 240;
const OUT = [0, 32, -32, -64];  // from the circle, of handles that would overlap
const LOOKS = ["relevant", "irrelevant"];
const SCENES = {
  "two astray": [301, 326, 351, 105, 158, 171, 199, 88],
  balanced: [0, 90, 180, 270, 45, 135, 225, 315],
};

const whole = (angles) => angles.map((a) => (Math.round((a * 180) / Math.PI) % 360 + 360) % 360);

function chart(picture, left, right, top, run, steps) {
  const x = linear(0, STEPS, left + 44, right - 12), low = Math.min(0, ...run.map(({ bound }) => bound)), floor = Math.floor(low * 5) / 5;
  const y = linear(floor, 0.8, top + CHART, top + 26), ticks = Array.from({ length: Math.round((0.8 - floor) / 0.2) + 1 }, (_, i) => floor + i / 5);
  text(picture, left, top + 8, "loss at each step", "rb-muted", "start");
  across(picture, x, y, ticks, (tick) => fixed(tick, 1));
  axis(picture, x, top + CHART, [0, 10, 20, 30, 40], { label: String, name: "training step", below: 20 });
  [["value", "rb-exact"], ["bound", "rb-smooth rb-dashed"]].forEach(([name, look]) => {
    path(picture, run.map((state, t) => `${t ? "L" : "M"}${x(t).toFixed(1)},${y(state[name]).toFixed(2)}`).join(""), `rb-curve ${look}`);
  });
  line(picture, x(steps), y(run[steps].value), x(steps), y(run[steps].bound), "rb-guide rb-dotted");
  point(picture, x(steps), y(run[steps].value), "exact");
  point(picture, x(steps), y(run[steps].bound), "smooth");
}

function build({ root, get, set }) {
  const plot = panel(root), row = html(root, "div", { class: "rb-feed" });
  button(row, "Train a step", () => set({ steps: Math.min(STEPS, get("steps") + 1) }));
  button(row, "To the end", () => set({ steps: STEPS }));
  Object.entries(SCENES).forEach(([name, angles]) => button(row, name, () => set({ angles: angles.slice(0, get("angles").length), steps: 0 })));
  const showStep = slider(root, { label: "training step", min: 0, max: STEPS, step: 1, change: (steps) => set({ steps }) });
  const showDecay = logSlider(root, { label: "weight decay", min: 0.2, max: 2, change: (decay) => set({ decay }) });
  const [valueTile, boundTile, pullTile, pushTile] = tiles(root, ["Cross-entropy + decay", "Bound of the pairs", "Pull", "Push"]);
  let items = [];
  // A point that is dragged begins a new training, from where all points stand.
  const make = (i) => handle(plot.box, {
    label: `angle of ${letter(i)}`, min: 0, max: 359, face: letter(i), digits: 0, round: (angle) => Math.round(angle) % 360,
    nudge: (angle, steps) => (angle + steps + 360) % 360,
    change: (angle) => set({ angles: replaced(whole(training(get("angles"), get("labels"), get("decay"))[get("steps")].angles), i, angle), steps: 0 }),
  });

  return function draw(width, { angles, labels, decay, steps }) {
    if (items.length !== angles.length) {
      items.forEach(({ knob }) => knob.remove());
      items = angles.map((_, i) => make(i));
    }
    const run = training(angles, labels, decay), state = run[steps], degrees = whole(state.angles);
    const beside = width >= 600, side = Math.min(SIDE, width), radius = Math.min(106, side / 2 - 56), middle = beside ? side / 2 : width / 2;
    const height = Math.max(2 * (radius + 56), beside ? CHART + 62 : 0), picture = plot.clear(width, beside ? height : height + CHART + 70);
    const { at, scale } = compass(middle, height / 2, radius);
    circle(picture, middle, height / 2, radius, "rb-orbit");
    const longest = Math.max(...run.flatMap(({ vectors }) => vectors.map((v) => Math.sqrt(square(v)))), 1e-9);
    state.vectors.forEach((vector, k) => {
      const [dx, dy] = vector.map((value) => ((radius - 24) * value) / longest), length = Math.hypot(dx, dy);
      if (length < 3) return;
      const head = Math.min(10, length / 2), x = middle + dx, y = height / 2 - dy, u = (head * dx) / length, v = (-head * dy) / length;
      line(picture, middle, height / 2, x - u, y - v, `rb-push rb-${LOOKS[k]}`);
      path(picture, `M${x},${y}L${x - u - 0.7 * v},${y - v + 0.7 * u}L${x - u + 0.7 * v},${y - v - 0.7 * u}Z`, `rb-push-head rb-${LOOKS[k]}`);
    });
    const ring = rings(degrees, radius, OUT.length - 1, FACE);
    items.forEach((item, i) => {
      const [x, y] = at(degrees[i], OUT[ring[i]]), look = LOOKS[labels[i]];
      if (ring[i]) line(picture, ...at(degrees[i]), x, y, "rb-guide rb-dotted");
      item.place(Object.assign(() => x, { invert: scale.invert }), y, { now: degrees[i], look, shown: `${degrees[i]}\u00b0`, spoken: `${degrees[i]} degrees` });
    });
    chart(picture, beside ? side + 16 : 0, width, beside ? 6 : height + 6, run, steps);

    showStep(steps);
    showDecay(decay);
    const { value, bound, cross_entropy, pull, push } = state;
    valueTile.show(fixed(value, 3), `${fixed(cross_entropy, 3)} of it cross-entropy`);
    boundTile.show(fixed(bound, 3), value - bound < 5e-4 ? "reached" : `${fixed(value - bound, 3)} below`);
    pullTile.show(fixed(pull, 3), "pairs of a class");
    pushTile.show(fixed(push, 3), "all pairs");
    return { values: { value, cross_entropy, bound, pull, push }, summary: `Step ${steps}: ${fixed(value, 3)}, bound ${fixed(bound, 3)}` };
  };
}

export default figure({
  label: "Cross-entropy above its bound of pairs", traits: ["angles", "labels", "decay", "steps"],
  legend: [
    ["rb-dot rb-relevant", "one class"], ["rb-dot rb-irrelevant", "another"],
    ["rb-stroke rb-exact", "cross-entropy + decay"], ["rb-stroke rb-smooth rb-dashed", "bound of the pairs"],
  ],
  hint: "Train; then drag a point.",
  build,
});
