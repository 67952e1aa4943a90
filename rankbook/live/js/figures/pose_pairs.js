// Pairs of a simulated and a real picture of one pose, in a plane of two features: a term that draws pairs together, and how it is paid.
import { button, choices, handle, onLogAxis, slider, tiles } from "../core/controls.js";
import { fixed, html, linear, logarithmic, power, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { axis, circle, line, panel, rect, text } from "../core/marks.js";
import { POSES, SIDE, decoded, paired } from "../shared/paired_fit.js";
import { address } from "../shared/pixels.js";

const WEIGHT = 24, TOP = 92, EDGE = 1.45, EXPONENTS = [-2, -1, 0, 1, 2, 3];

function build({ root, get, set }) {
  const row = html(root, "div", { class: "rb-feed" });
  const showTask = choices(row, { label: "what is learned", names: { both: "poses and pairs", pairs: "pairs alone" }, change: (task) => set({ task }) });
  const plot = panel(root);
  const heavy = handle(plot.box, { label: "weight of the pairs", min: 0.01, max: 1000, face: "", ...onLogAxis, change: (weight) => set({ weight }) });
  const mixed = handle(plot.box, { label: "from the simulated picture to the real one", min: 0, max: 1, face: "", change: (blend) => set({ blend }) });
  const showSize = slider(root, { label: "size of the features", min: 0.05, max: 1, step: 0.05, change: (size) => set({ size }), shown: (size) => fixed(size, 2) });
  const [loss, share, known, fresh] = tiles(root, ["Loss of the pairs", "Apart, of the spread", "Error, simulated", "Error, new real"]);
  button(row, "another pose", () => set({ pose: (get("pose") + 1) % POSES }));
  let seen = {};

  return function draw(width, { pictures, poses, pose, blend, weight, size, task }) {
    if (seen.pictures !== pictures) seen = { pictures, ...decoded(pictures) };
    const state = paired(seen.inputs, poses, { weight, size, task: Number(task === "both") });
    const { features, apart, error_simulated, error_new } = state;
    const between = (a, b) => a.map((value, k) => value + blend * (b[k] - value)), at = between(features[pose], features[POSES + pose]);

    const beside = width >= 600, side = beside ? 290 : 150, plane = beside ? 340 : Math.min(300, width), left = beside ? 0 : (width - side) / 2;
    const foot = TOP + side + 62, right = beside ? width - plane : (width - plane) / 2, top = beside ? TOP : foot;
    const picture = plot.clear(width, top + plane + 24), w = logarithmic(0.01, 1000, 22, width - 22), t = linear(0, 1, left + 20, left + side - 20);
    axis(picture, w, WEIGHT, EXPONENTS.map((exponent) => 10 ** exponent), { label: (tick) => power(Math.round(Math.log10(tick))), name: "weight of the pairs", below: 30 });
    const mixedDepths = between(seen.depths[pose], seen.depths[POSES + pose]), shade = (p) => Array(3).fill(255 * (mixedDepths[p] - 0.2));  // near is dark, missing black
    svg(picture, "image", { href: address(SIDE, shade), x: left, y: TOP, width: side, height: side, style: "image-rendering: pixelated" });
    line(picture, t.start, TOP + side + 22, t.end, TOP + side + 22, "rb-axis");
    text(picture, left, TOP + side + 52, "simulated", "rb-muted", "start");
    text(picture, left + side, TOP + side + 52, "real", "rb-muted", "end");

    const x = linear(-EDGE, EDGE, right, right + plane), y = linear(-EDGE, EDGE, top, top + plane), place = ([a, b]) => [x(a), y(b)];
    rect(picture, right, top, plane, plane, "rb-cell");
    text(picture, right + plane / 2, top + plane + 17, "the two features", "rb-muted");
    for (let i = 0; i < POSES; i++) line(picture, ...place(features[i]), ...place(features[POSES + i]), "rb-guide");
    for (let i = 0; i < POSES; i++) {
      circle(picture, ...place(features[POSES + i]), 5.5, "rb-mark rb-irrelevant");
      circle(picture, ...place(features[i]), 5, "rb-mark rb-relevant");
    }
    circle(picture, ...place(at), 11, "rb-ring");

    showTask(task);
    showSize(size);
    heavy.place(w, WEIGHT, { now: weight, shown: String(weight), spoken: `weight ${weight}, error on new real pictures ${fixed(error_new, 2)}` });
    mixed.place(t, TOP + side + 22, { now: blend, spoken: `${Math.round(100 * blend)} percent real` });
    loss.show(fixed(apart, 4), "0: twins are equal");
    share.show(state.share === null ? null : fixed(state.share, 2), state.share === null ? "all features are equal" : "no size moves it");
    known.show(fixed(error_simulated, 2), "of the poses that it learns");
    fresh.show(fixed(error_new, 2), "the only one that counts");
    const values = { simulated: features.slice(0, POSES).flat(), real: features.slice(POSES, 2 * POSES).flat(), at, apart, share: state.share, error_simulated, error_new };
    return { values, summary: `Loss of the pairs ${fixed(apart, 4)}, error on new real pictures ${fixed(error_new, 2)}` };
  };
}

export default figure({
  label: "Pairs of simulated and real pictures", traits: ["pictures", "poses", "pose", "blend", "weight", "size", "task"],
  legend: [["rb-dot rb-relevant", "simulated"], ["rb-dot rb-irrelevant", "real"]],
  hint: "Drag the weight to the right. Then shrink the features.",
  build,
});
