// Three views of five items along a half circle: who is matched with whom, and what two losses make of it.
import { button, handle, logSlider, tiles } from "../core/controls.js";
import { fixed, html, linear, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { axis, line, panel, text } from "../core/marks.js";
import { letter, replaced } from "../shared/items.js";
import { matched } from "../shared/matching.js";

const VIEWS = ["first", "second", "third"], ROW = 92, TOP = 48, FAINT = 0.02;
const STEP = [20, 55, 90, 125, 160];
const SCENES = {
  "in step": STEP,
  "the last view slides": STEP.map((angle) => angle - 20),
  "two change places": [20, 90, 55, 125, 160],
  "one is lost": [20, 55, 90, 125, 34],
};

function build({ root, get, set }) {
  const row = html(root, "div", { class: "rb-feed" });
  Object.entries(SCENES).forEach(([name, third]) => button(row, name, () => set({ first: [...STEP], second: [...STEP], third: [...third] })));
  const plot = panel(root);
  const showEpsilon = logSlider(root, { label: "\u03b5", min: 0.04, max: 0.4, change: (epsilon) => set({ epsilon }) });
  const [gapTile, pairTile, rightTile, costTile] = tiles(root, ["Matching gap", "InfoNCE of the pairs", "Found first", "Cost of the truth"]);
  const items = VIEWS.map((name) => STEP.map((_, i) => handle(plot.box, {
    label: `${letter(i)} in the ${name} view`, min: 0, max: 180, face: letter(i), digits: 0, nudge: (angle, steps) => angle + steps,
    change: (angle) => set({ [name]: replaced(get(name), i, angle) }),
  })));

  return function draw(width, { epsilon, ...views }) {
    const angles = VIEWS.map((name) => views[name]), state = matched(angles, epsilon);
    const x = linear(0, 180, 26, width - 26), y = (view) => TOP + ROW * view, picture = plot.clear(width, y(2) + 68);
    [state.upper, state.lower].forEach((plan, view) => plan.forEach((shares, i) => shares.forEach((share, j) => {
      if (share < FAINT) return;
      svg(picture, "line", {
        x1: x(angles[view][i]), y1: y(view), x2: x(angles[view + 1][j]), y2: y(view + 1),
        class: `rb-push rb-${i === j ? "relevant" : "irrelevant"}`, "stroke-opacity": Math.min(1, share),
      });
    })));
    VIEWS.forEach((name, view) => {
      line(picture, x.start, y(view), x.end, y(view), "rb-axis");
      text(picture, x.start - 20, y(view) - 26, `${name} view`, "rb-muted", "start");
      items[view].forEach((item, i) => item.place(x, y(view), { now: angles[view][i], look: "relevant", shown: `${angles[view][i]}\u00b0`, spoken: `${angles[view][i]} degrees` }));
    });
    axis(picture, x, y(2) + 22, [0, 45, 90, 135, 180], { label: (angle) => `${angle}\u00b0`, name: "direction of the embedding", below: 20 });

    showEpsilon(epsilon);
    const { gap, info_nce, right, cost } = state;
    gapTile.show(fixed(gap, 3), `${fixed(gap / epsilon, 2)} nats`);
    pairTile.show(fixed(info_nce, 3), "nats");
    rightTile.show(`${right} of 30`, "searches in another view");
    costTile.show(fixed(cost, 3), "circular variance");
    const values = { gap, info_nce, right, cost, upper: state.upper.flat(), lower: state.lower.flat() };
    return { values, summary: `Matching gap ${fixed(gap, 3)}, InfoNCE of the pairs ${fixed(info_nce, 3)}, ${right} of 30 found first` };
  };
}

export default figure({
  label: "The matching gap of three views", traits: ["first", "second", "third", "epsilon"],
  legend: [["rb-stroke rb-relevant", "matched as they are"], ["rb-stroke rb-wrong", "matched otherwise"]],
  hint: "Press \u201cin step\u201d, then \u201ctwo change places\u201d.",
  build,
});
