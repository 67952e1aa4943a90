// Every order of a short list as a dot: those of one AP stand in a row, and H-AP tells them apart.
import { handle, tiles } from "../core/controls.js";
import { fixed, linear, metricText, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, across, axis, line, mark, panel, text } from "../core/marks.js";
import { letter } from "../shared/items.js";
import { averagePrecision, hierarchicalAP, hierarchicalRelevance, worstOrder } from "../shared/metrics.js";

const LEFT = 34, RIGHT = 22, TOP = 30, FLOOR = 216, ROWS = 300, ROW = 34, HEIGHT = ROWS + 2 * ROW + 18;
const NAME = 74, NUMBER = 48;   // beside the marks of an order
const SAME = 1e-9;
const LOOKS = ["irrelevant", "half", "relevant"];

// Every order of `left[level]` items of each level, as levels from the first place on.
const orders = (left) => (left.some(Boolean)
  ? left.flatMap((count, level) => (count ? orders(left.map((c, l) => c - (l === level))).map((rest) => [level, ...rest]) : []))
  : [[]]);

function measured(order, alpha) {
  const scores = order.map((_, place) => -place);
  const ap = averagePrecision(scores, order.map((level) => Number(level === 2)));
  return { order, ap, hap: hierarchicalAP(scores, hierarchicalRelevance(order, alpha)) };
}

// The largest difference in H-AP between two orders of one AP.
function widest(all) {
  let most = 0, ap = -1, low;
  [...all].sort((a, b) => (Math.abs(a.ap - b.ap) > SAME ? a.ap - b.ap : a.hap - b.hap)).forEach((one) => {
    if (one.ap - ap > SAME) [ap, low] = [one.ap, one.hap];
    most = Math.max(most, one.hap - low);
  });
  return most;
}

const dots = (picture, x, y, list, look, size, opacity) => svg(picture, "path", {
  d: list.map(({ ap, hap }) => `M${x(hap).toFixed(1)},${y(ap).toFixed(1)}h0`).join(""), class: `rb-curve ${look}`,
  style: `stroke-width: ${size}; stroke-linecap: round; opacity: ${opacity}`,
});

function build({ root, get, set }) {
  const plot = panel(root);
  const [apTile, hapTile, spread] = tiles(root, ["AP (class)", "H-AP", "Room at this AP"], { bars: 2 });
  let row = [], now = 0;   // the orders of this AP with different H-AP, from the harshest on, and where the list stands among them

  // The scores change owners, so that the levels come in the wanted order.
  function take({ order }) {
    const scores = get("scores"), levels = get("levels"), ranks = worstOrder(scores, levels);
    const queue = scores.map((_, i) => i).sort((a, b) => ranks[a] - ranks[b]), sorted = [...scores].sort((a, b) => b - a), next = [];
    order.forEach((level, place) => {
      const first = queue.findIndex((i) => levels[i] === level);
      next[queue.splice(first, 1)[0]] = sorted[place];
    });
    set({ scores: next });
  }
  const knob = handle(plot.box, {
    label: "H-AP, among the orders of this AP", min: 0, max: 1, face: "", digits: 3, round: (value) => value,
    nudge: (_, steps) => row[Math.min(row.length - 1, Math.max(0, now + steps))]?.hap ?? 0,
    change: (value) => {
      if (row.length) take(row.reduce((best, one) => (Math.abs(one.hap - value) < Math.abs(best.hap - value) ? one : best)));
    },
  });

  return function draw(width, { scores, levels, alpha }) {
    const n = Math.min(scores.length, levels.length), own = scores.slice(0, n), labels = levels.slice(0, n);
    const ap = averagePrecision(own, labels.map((level) => Number(level === 2)));
    const hap = hierarchicalAP(own, hierarchicalRelevance(labels, alpha));
    const all = ap === null ? [] : orders(LOOKS.map((_, level) => labels.filter((l) => l === level).length)).map((order) => measured(order, alpha));
    const same = all.filter((one) => Math.abs(one.ap - ap) <= SAME).sort((a, b) => a.hap - b.hap);
    const [low, high] = [same.at(0), same.at(-1)], tied = new Set(own).size < n;
    row = tied ? [] : same.filter((one, i) => !i || one.hap - same[i - 1].hap > SAME);
    now = row.findIndex((one) => Math.abs(one.hap - hap) <= SAME);
    const values = {
      average_precision: ap, hierarchical_ap: hap, orders: all.length, same_ap: same.length,
      lowest: low?.hap ?? null, highest: high?.hap ?? null, widest: ap === null ? null : widest(all),
    };

    const x = linear(0, 1, LEFT, width - RIGHT), y = linear(0, 1, FLOOR, TOP), picture = plot.clear(width, HEIGHT);
    across(picture, x, y, [0, 0.5, 1]);
    axis(picture, x, FLOOR, FIFTHS, { name: "H-AP", below: 18, anchor: "end" });
    text(picture, 0, TOP - 16, "AP", "rb-muted", "start");
    dots(picture, x, y, all, "rb-exact", 4, 0.3);
    dots(picture, x, y, same, "rb-relevant", 7, 1);
    knob.knob.hidden = ap === null;
    if (ap !== null) {
      const at = row[now]?.hap ?? hap;
      knob.place(x, y(ap), { now: at, spoken: `H-AP ${fixed(at, 3)} at an AP of ${fixed(ap, 3)}`, look: "relevant" });
      knob.knob.setAttribute("aria-valuemin", row.at(0)?.hap ?? 0);
      knob.knob.setAttribute("aria-valuemax", row.at(-1)?.hap ?? 1);
    }

    const slot = (width - NAME - NUMBER) / n, radius = Math.min(12, slot / 2 - 2), place = worstOrder(own, labels);
    const inOrder = place.map((_, p) => place.indexOf(p + 1));
    const lists = [["kindest", high?.order, high?.hap], ["this list", inOrder.map((i) => labels[i]), hap], ["harshest", low?.order, low?.hap]];
    text(picture, NAME, ROWS - 28, "three orders of one AP, rank 1 at the right", "rb-muted", "start");
    lists.forEach(([name, order, value], r) => {
      if (!order || ap === null) return;
      const middle = ROWS + r * ROW;
      text(picture, 0, middle + 4.5, name, r === 1 ? "rb-rank" : "rb-muted", "start");
      order.forEach((level, p) => mark(picture, width - NUMBER - (p + 0.5) * slot, middle, radius, LOOKS[level], r === 1 && radius > 9 ? letter(inOrder[p]) : ""));
      text(picture, width, middle + 4.5, fixed(value, 3), r === 1 ? "rb-rank" : "rb-muted", "end");
    });
    line(picture, 0, ROWS - ROW / 2 + ROW * 3 - 1, width, ROWS - ROW / 2 + ROW * 3 - 1, "rb-grid");

    apTile.show(ap === null ? null : fixed(ap, 3), ap === null ? "needs an item of the class" : `one of ${all.length} orders`, ap ?? 0);
    hapTile.show(hap === null ? null : fixed(hap, 3), hap === null ? "needs a relevant item" : "of this list", hap ?? 0);
    if (!low) spread.show(null, ap === null ? "no AP" : "no order has it: a tie");
    else spread.show(fixed(high.hap - low.hap, 3), `${fixed(low.hap, 3)} to ${fixed(high.hap, 3)}, ${same.length} orders`);
    return { values, summary: `AP ${metricText(ap)}, H-AP ${metricText(hap)}${low ? `, at this AP from ${fixed(low.hap, 3)} to ${fixed(high.hap, 3)}` : ""}` };
  };
}

export default figure({
  label: "All orders of a list: H-AP against AP", traits: ["scores", "levels", "alpha"],
  legend: [["rb-dot rb-relevant", "same class"], ["rb-dot rb-half", "same group"], ["rb-dot rb-irrelevant", "stranger"]],
  hint: "Drag the dot along its row.",
  build,
});
