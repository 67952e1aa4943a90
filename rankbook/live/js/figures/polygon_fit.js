// A polygon whose box is known: bars at its corners say which term pulls where, and it descends their sum on a press.
import { button, handle, slider, tiles } from "../core/controls.js";
import { fixed, html, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { line, panel, path, rect, text } from "../core/marks.js";
import { replaced } from "../shared/items.js";
import { LEAST, MOST, SIDE, computed, decoded, descent, pairsOf, rays, sum } from "../shared/ray_polygon.js";
import { address } from "../shared/pixels.js";

const STEPS = 120, A_FRAME = 3;  // of the descent
const PRESETS = { "all three": [1, 0.5, 5], "box alone": [1, 0, 0], "neighbors alone": [0, 0.5, 0] };
const TERMS = [["unary", "box", 2], ["local", "neighbors", 2], ["region", "regions", 20]], LOOKS = ["rb-relevant", "rb-smooth", "rb-sup"];

const kept = (radius) => Math.round(Math.min(MOST, Math.max(LEAST, radius)) * 100) / 100;

function build({ root, get, set }) {
  const start = get("radii");
  const plot = panel(root), row = html(root, "div", { class: "rb-feed" }), sliders = html(root, "div", { class: "rb-sliders" });
  plot.box.classList.add("rb-dots");
  const shows = TERMS.map(([trait, name, max]) => slider(sliders, { label: `weight of the ${name}`, min: 0, max, step: max / 20, change: (value) => set({ [trait]: value }), shown: (value) => fixed(value, 1) }));
  const [boxTile, nearTile, regionTile, judge] = tiles(root, ["Box: 1 \u2212 CIoU", "Neighbors", "Regions", "IoU with the mask"]);
  let items = [], known = {};

  function learn(picture, box) {
    if (known.picture !== picture || known.of !== String(box)) {
      const parts = decoded(picture);
      known = { picture, of: String(box), parts, neighbors: pairsOf(parts, box), image: address(SIDE, (p) => [0, 1, 2].map((c) => 255 * parts.colors[3 * p + c])) };
    }
    return known;
  }

  // Descends from where the polygon stands; a reader who takes a corner or a weight ends it.
  function descend() {
    const names = ["radii", "box", "unary", "local", "region"], state = () => Object.fromEntries(names.map((name) => [name, get(name)]));
    const { parts, neighbors } = learn(get("picture"), get("box")), step = descent(state(), parts, neighbors);
    let done = 0, left = JSON.stringify(state());
    const atOnce = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const frame = () => {
      if (JSON.stringify(state()) !== left) return;
      let radii;
      for (const end = atOnce ? STEPS : done + A_FRAME; done < end; done++) radii = step();
      set({ radii: radii.map(kept) });
      left = JSON.stringify(state());
      if (done < STEPS) requestAnimationFrame(frame);
    };
    frame();
  }
  button(row, "Fit", descend);
  Object.entries(PRESETS).forEach(([name, [unary, local, region]]) => button(row, name, () => set({ unary, local, region, radii: start })));

  const make = (k) => handle(plot.box, {
    label: `corner ${k + 1}`, min: LEAST, max: MOST, face: "", nudge: (value, steps) => value + steps / 4,
    change: (radius) => set({ radii: replaced(get("radii"), k, radius) }),
  });

  return function draw(width, state) {
    const { radii, picture, box } = state, { parts, neighbors, image } = learn(picture, box), n = radii.length;
    if (items.length !== n) {
      items.forEach(({ knob }) => knob.remove());
      items = radii.map((_, k) => make(k));
    }
    const { corners, soft, pulls, values } = computed(state, parts, neighbors), ways = rays(n);
    const beside = width >= 600, side = Math.min(beside ? 352 : 340, width), left = beside ? 0 : (width - side) / 2, unit = side / SIDE;
    const at = ([x, y]) => [left + x * unit, y * unit], drawing = plot.clear(width, side + (beside ? 22 : 0));
    const shown = (href, x) => svg(drawing, "image", { href, x, y: 0, width: side, height: side, style: "image-rendering: pixelated" });
    shown(image, left);
    const outline = (x) => `M${corners.map(([a, b]) => `${(x + a * unit).toFixed(1)},${(b * unit).toFixed(1)}`).join("L")}Z`;
    rect(drawing, left + box[0] * unit, box[1] * unit, (box[2] - box[0]) * unit, (box[3] - box[1]) * unit, "rb-ring rb-in-picture");
    path(drawing, outline(left), "rb-ring rb-halo");
    path(drawing, outline(left), "rb-ring rb-outline");
    if (beside) {
      shown(address(SIDE, (p) => Array(3).fill(255 * soft[p].u)), width - side);
      text(drawing, left + side / 2, side + 17, "the picture and its box", "rb-muted");
      text(drawing, width - side / 2, side + 17, "inside, as the loss sees it", "rb-muted");
    }
    const most = pulls.map((of) => Math.max(1e-4, ...of.map(Math.abs))), reach = 3 * unit;  // each term on its own scale: the box pulls hardest
    pulls.forEach((of, t) => of.forEach((pull, k) => {
      const [x, y] = at(corners[k]), [u, v] = ways[k], aside = 6 * (t - 1), long = (reach * pull) / most[t];
      if (Math.abs(long) < 1) return;
      line(drawing, x - aside * v, y + aside * u, x - aside * v + long * u, y + aside * u + long * v, `rb-pull ${LOOKS[t]}`);
    }));
    const [cx, cy] = at([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]);
    items.forEach((item, k) => {
      const [u, v] = ways[k], scale = Object.assign((r) => cx + r * unit * u, { invert: (x, y) => ((x - cx) * u + (y - cy) * v) / unit });
      const pull = sum(pulls.map((of) => of[k]));
      item.place(scale, cy + radii[k] * unit * v, { now: radii[k], spoken: `${fixed(radii[k], 1)} pixels from the middle, pulled ${pull > 0 ? "out" : "in"}` });
    });

    TERMS.forEach(([trait], t) => shows[t](state[trait]));
    boxTile.show(fixed(values.of_box, 3), "0: it fills its box");
    nearTile.show(fixed(values.of_neighbors, 3), "pairs of like pixels, parted");
    regionTile.show(fixed(values.of_regions, 4), "colors from their side's mean");
    judge.show(values.iou === null ? null : fixed(values.iou, 2), "the mask that no term sees");
    return { values, summary: `Loss ${fixed(values.loss, 3)}, IoU with the mask ${values.iou === null ? "undefined" : fixed(values.iou, 2)}` };
  };
}

export default figure({
  label: "A polygon in its box", traits: ["radii", "unary", "local", "region", "picture", "box"],
  legend: [["rb-stroke rb-relevant", "pull of the box"], ["rb-stroke rb-smooth", "of neighbors"], ["rb-stroke rb-sup", "of regions"]],
  hint: "Press Fit. Then neighbors alone, and Fit again.",
  build,
});
