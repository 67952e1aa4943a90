// Eight embeddings on a circle: the loss of the batch pushes each of them along it, and a list says who pulls or pushes one of them.
import { button, choices, handle, logSlider, tiles } from "../core/controls.js";
import { compact, fixed, html } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, circle, line, mark, panel, path, text } from "../core/marks.js";
import { BATCH_LOSSES } from "../shared/batch_losses.js";
import { compass, rings } from "../shared/on_circle.js";
import { follow, meanAP, pushed } from "../shared/circle_forces.js";
import { letter, replaced } from "../shared/items.js";
import { arrow, hardest, signed } from "../shared/pushes.js";

const SIDE = 400, LANE = 32, FACE = 30;    // the picture of the circle at most, and what handles need
const LONGEST = 40;                        // degrees of the longest arrow
const ROW = 34, FELT = 0.05;
const SCENES = {
  "two astray": [301, 326, 351, 105, 158, 171, 199, 88],
  "right, but wide": [0, 21, 42, 63, 180, 201, 222, 243],
  calibrated: [0, 8, 16, 24, 180, 188, 196, 204],
};
const LOOKS = ["relevant", "irrelevant"];
function bent(picture, at, radius, angle, extent, look) {
  if (Math.abs(extent) < 1) return;
  const inside = -22 - 14 * LOOKS.indexOf(look), end = angle + extent, r = radius + inside, head = Math.sign(extent) * Math.min(6, 2 * Math.abs(extent));
  path(picture, `M${at(angle, inside)}A${r},${r} 0 0 ${extent > 0 ? 0 : 1} ${at(end, inside)}`, `rb-push rb-bent rb-${look}`);
  path(picture, `M${at(end + head, inside)}L${at(end, inside - 7)}L${at(end, inside + 7)}Z`, `rb-push-head rb-${look}`);
}

// The others by their score for the query, and arrows: to the right where one pulls the query, to the left where it pushes.
function list(picture, left, right, top, query, labels, scores, pulls) {
  const reach = Math.min(76, (right - left - 164) / 2), middle = right - 66 - reach, most = Math.max(hardest(pulls), DEAD);
  text(picture, left, top + 14, `${letter(query)} sees`, "rb-strong", "start");
  text(picture, middle, top + 14, "pushes it \u2190 \u2192 pulls it", "rb-muted");
  line(picture, middle, top + 24, middle, top + 30 + (labels.length - 1) * ROW, "rb-guide");
  const order = labels.map((_, j) => j).filter((j) => j !== query).sort((a, b) => scores[query][b] - scores[query][a] || a - b);
  order.forEach((j, place) => {
    const y = top + 44 + place * ROW, look = LOOKS[labels[j]], size = Math.abs(pulls[j]);
    mark(picture, left + 12, y, 12, look, letter(j));
    text(picture, left + 34, y + 4.5, fixed(scores[query][j], 2), "rb-muted", "start");
    if (size >= DEAD) arrow(picture, middle, middle + (reach * pulls[j]) / most, y, `rb-${look}`);
    text(picture, right, y + 4.5, signed(pulls[j]), size < Math.max(DEAD, FELT * most) ? "rb-muted" : "", "end");
  });
}

function build({ root, get, set }) {
  const showLoss = choices(root, { label: "loss", names: Object.fromEntries(Object.keys(BATCH_LOSSES).map((name) => [name, name])), change: (loss) => set({ loss }) });
  const plot = panel(root), row = html(root, "div", { class: "rb-feed" });
  button(row, "Follow the arrows", () => set({ angles: follow(get("angles"), get("labels"), get("loss"), get("tau")) }));
  Object.entries(SCENES).forEach(([name, angles]) => button(row, name, () => set({ angles: angles.slice(0, get("angles").length) })));
  const showTau = logSlider(root, { label: "temperature", min: 0.01, max: 0.3, change: (tau) => set({ tau }) });
  const [lossTile, apTile, feltTile, topTile] = tiles(root, ["Loss", "AP", "Feel a force", "Hardest force"]);
  let items = [];
  const make = (i) => handle(plot.box, {
    label: `angle of ${letter(i)}`, min: 0, max: 359, face: letter(i), digits: 0, round: (angle) => Math.round(angle) % 360,
    nudge: (angle, steps) => (angle + steps + 360) % 360, change: (angle) => set({ query: i, angles: replaced(get("angles"), i, angle) }),
    activate: () => set({ query: i }),
  });

  return function draw(width, { angles, labels, loss, tau, query }) {
    if (items.length !== angles.length) {
      items.forEach(({ knob }) => knob.remove());
      items = angles.map((_, i) => make(i));
    }
    const { scores, value, forces, pullsOf } = pushed(angles, labels, loss, tau), pulls = pullsOf(query), top = hardest(forces);
    const felt = forces.filter((force) => Math.abs(force) >= DEAD).length;
    const beside = width >= 600, side = Math.min(SIDE, width), radius = Math.min(120, side / 2 - 52), height = 2 * (radius + 56);
    const picture = plot.clear(width, beside ? height : height + 60 + (angles.length - 1) * ROW), { at, scale } = compass(side / 2, height / 2, radius);

    circle(picture, side / 2, height / 2, radius, "rb-orbit");
    angles.forEach((angle, j) => {
      if (j === query || Math.abs(pulls[j]) < Math.max(DEAD, FELT * hardest(pulls))) return;
      line(picture, ...at(angles[query], -48), ...at(angle, -48), `rb-link rb-${LOOKS[labels[j]]}`);
    });
    const lane = rings(angles, radius, Math.floor((side / 2 - 18 - radius) / LANE), FACE);
    items.forEach((item, i) => {
      const look = LOOKS[labels[i]], [x, y] = at(angles[i], lane[i] * LANE), now = angles[i];
      if (lane[i]) line(picture, ...at(now), x, y, "rb-guide rb-dotted");
      if (i === query) circle(picture, x, y, 19, "rb-ring");
      if (Math.abs(forces[i]) >= DEAD) bent(picture, at, radius, now, (LONGEST * forces[i]) / top, look);
      item.place(Object.assign(() => x, { invert: scale.invert }), y, { now, look, shown: `${now}\u00b0`, spoken: `${now} degrees, force ${compact(forces[i])}` });
    });
    list(picture, beside ? side + 20 : 0, width, beside ? 20 : height + 8, query, labels, scores, pulls);

    showLoss(loss);
    showTau(tau);
    const ap = meanAP(scores, labels);
    lossTile.show(fixed(value, 3), loss);
    apTile.show(fixed(ap, 3), ap === 1 ? "every order is right" : "mean of all queries");
    feltTile.show(`${felt} of ${angles.length}`, felt ? "at least 10\u207b\u2076 a radian" : "dead: below 10\u207b\u2076 a radian");
    topTile.show(top < DEAD ? "0" : compact(top), "minus the slope of the loss, a radian");
    const values = { value, ap, forces, pulls, felt };
    return { values, summary: `${loss} ${fixed(value, 3)}, AP ${fixed(ap, 3)}, ${felt} of ${angles.length} feel a force` };
  };
}

export default figure({
  label: "Forces of a loss on a circle of embeddings", traits: ["angles", "labels", "loss", "tau", "query"],
  legend: [["rb-dot rb-relevant", "one class"], ["rb-dot rb-irrelevant", "another"]],
  hint: "Choose a loss; drag a point.",
  build,
});
