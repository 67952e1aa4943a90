// Codes of bits: items in columns by their Hamming distance from the query; below, AP over the orders of ties at every number of bits.
import { handle, tiles } from "../core/controls.js";
import { fixed, linear, metricText } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, across, axis, circle, line, numbers, panel, path, point, text } from "../core/marks.js";

const LONGEST = 48, LEFT = 34, RIGHT = 20, STACK = 170, TOP = 250, FLOOR = 400, HEIGHT = 462;

// Bits that differ among the first 1 to 48, the highest first.
function distances(code) {
  const found = [0];
  for (let k = 1; k <= LONGEST; k++) found.push(found[k - 1] + (Math.floor(code / 2 ** (LONGEST - k)) % 2));
  return found;
}

function counts(ways, relevance, bits) {
  const items = Array(bits + 1).fill(0), hits = Array(bits + 1).fill(0);
  ways.forEach((way, i) => { items[way[bits]] += 1; hits[way[bits]] += relevance[i]; });
  return { items, hits };
}

// AP of the worst order, of the mean of all, of the best: each a sum over places of the precision there.
function tiedAP({ items, hits }) {
  let before = 0, ahead = 0, worst = 0, mean = 0, best = 0;
  items.forEach((n, level) => {
    const r = hits[level], others = n > 1 ? (r - 1) / (n - 1) : 0;
    for (let j = 1; j <= r; j++) {
      best += (ahead + j) / (before + j);
      worst += (ahead + j) / (before + n - r + j);
    }
    for (let i = 1; r && i <= n; i++) mean += ((r / n) * (ahead + 1 + (i - 1) * others)) / (before + i);
    [before, ahead] = [before + n, ahead + r];
  });
  return [worst, mean, best].map((sum) => sum / ahead);
}

function build({ root, get, set }) {
  const plot = panel(root), knob = handle(plot.box, {
    label: "bits of the code", min: 1, max: LONGEST, face: "", digits: 0, nudge: (value, steps) => value + steps, anywhere: true, change: (bits) => set({ bits }),
  });
  const [tiedTile, low, middle, high] = tiles(root, ["Items in ties", "AP at worst", "AP, mean", "AP at best"]);

  return function draw(width, { codes: all, relevance: labels, bits }) {
    const n = Math.min(all.length, labels.length), relevance = labels.slice(0, n), ways = all.slice(0, n).map(distances);
    const { items, hits } = counts(ways, relevance, bits), known = relevance.some((label) => label > 0);
    const each = known ? Array.from({ length: LONGEST }, (_, k) => tiedAP(counts(ways, relevance, k + 1))) : null;
    const curves = each && [0, 1, 2].map((which) => each.map((values) => values[which]));
    const [worst, mean, best] = each ? each[bits - 1] : [null, null, null];
    const tied = items.reduce((sum, count) => sum + (count > 1 ? count : 0), 0);
    const picture = plot.clear(width, HEIGHT);

    // The items in columns, those of the query's class at the bottom.
    const d = linear(0, Math.max(bits, 4), LEFT + 8, width - RIGHT), pitch = Math.min(11, (STACK - 20) / Math.max(1, ...items), (d(1) - d(0)) * 0.95);
    text(picture, 0, 12, "items by distance", "rb-muted", "start");
    line(picture, LEFT, STACK + 6, width - RIGHT, STACK + 6, "rb-axis");
    items.forEach((count, level) => {
      for (let i = 0; i < count; i++) circle(picture, d(level), STACK - (i + 0.5) * pitch, Math.max(1.2, pitch / 2 - 1), `rb-mark rb-${i < hits[level] ? "relevant" : "irrelevant"}`);
    });
    const every = Math.max(1, Math.ceil(bits / 12));
    numbers(picture, d, Array.from({ length: Math.floor(bits / every) + 1 }, (_, i) => i * every), STACK + 24, (tick) => fixed(tick, 0));
    text(picture, (d.start + d.end) / 2, STACK + 42, "bits that differ from the query", "rb-muted");

    // AP at every number of bits: the band of all orders, and its mean.
    const x = linear(1, LONGEST, LEFT + 8, width - RIGHT), y = linear(0, 1, FLOOR, TOP);
    text(picture, 0, TOP - 12, "AP", "rb-muted", "start");
    across(picture, x, y, FIFTHS, (tick) => fixed(tick, 1));
    if (curves) {
      const at = (list) => list.map((value, k) => `${x(k + 1).toFixed(1)},${y(value).toFixed(2)}`);
      path(picture, `M${at(curves[2]).join("L")}L${at(curves[0]).reverse().join("L")}Z`, "rb-band");
      path(picture, `M${at(curves[1]).join("L")}`, "rb-curve rb-smooth");
      line(picture, x(bits), y(worst), x(bits), y(best), "rb-error");
      point(picture, x(bits), y(mean), "smooth", 5.5);
    }
    axis(picture, x, FLOOR, [1, 12, 24, 36, 48], { label: (tick) => fixed(tick, 0), name: "bits of the code" });
    knob.place(x, FLOOR, { now: bits, spoken: `${bits} bits, AP from ${metricText(worst)} to ${metricText(best)}` });

    tiedTile.show(String(tied), `of ${n}`);
    low.show(worst === null ? null : fixed(worst, 3), "other classes first");
    middle.show(mean === null ? null : fixed(mean, 3), "all orders of ties");
    high.show(best === null ? null : fixed(best, 3), "its class first");
    const summary = known ? `${bits} bits: AP from ${metricText(worst)} to ${metricText(best)}, mean ${metricText(mean)}` : "No item is of the query's class: AP is undefined";
    const [worsts, means, bests] = curves ?? [null, null, null];
    return { values: { codes: all.slice(0, n), relevance, bits, items, hits, tied, worst, mean, best, worsts, means, bests }, summary };
  };
}

export default figure({
  label: "Hamming distances and AP of codes", traits: ["codes", "relevance", "bits"],
  legend: [
    ["rb-dot rb-relevant", "of the query's class"], ["rb-dot rb-irrelevant", "of another"],
    ["rb-swatch rb-dead", "all orders of ties"], ["rb-stroke rb-smooth", "their mean"],
  ],
  hint: "Drag the bits down to 1.",
  build,
});
