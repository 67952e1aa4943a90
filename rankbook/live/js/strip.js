// What figures with items on a score axis share: the handles of the items, the axis, rows for items that would overlap,
// the ranking below the axis, and arrows that push.
import { clamp, compact, fixed, handle, line, linear, svg, text } from "./ui.js";

const LANE = 36;   // height of one row of items
const LANES = 2;          // rows above the axis before items start to overlap
const TOP = 48;           // title and tick labels
const AXIS = TOP + LANES * LANE;
export const SLOTS = AXIS + 96; // the ranking

export const letter = (i) => String.fromCharCode(65 + i);
export const replaced = (values, i, value) => values.map((old, j) => (j === i ? value : old));

// One handle for each item, made anew when their number changes. `activate(i)` is what Enter and a double tap do;
// `taken(i)` hears which item the reader has in hand.
export function itemHandles(box, { get, set, scale, activate, taken = () => {} }) {
  let items = [];
  const make = (i) => handle(box, {
    label: `item ${letter(i)}`, min: 0, max: 1, face: letter(i), scale, value: () => get("scores")[i],
    nudge: (value, steps) => value + steps / 100,
    change: (value) => { taken(i); set({ scores: replaced(get("scores"), i, Math.round(value * 100) / 100) }); },
    activate: () => activate(i),
  });
  return (n) => {
    if (items.length !== n) {
      items.forEach((item) => item.knob.remove());
      items = Array.from({ length: n }, (_, i) => make(i));
      taken(null);
    }
    return items;
  };
}

export const switchRelevance = ({ get, set }) => (i) => set({ relevance: replaced(get("relevance"), i, get("relevance")[i] ? 0 : 1) });

// Upright grid lines from `top` to `bottom`, their numbers on the line `label`.
export function scoreTicks(picture, x, top, bottom, label) {
  [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((tick) => {
    line(picture, x(tick), top, x(tick), bottom, "rb-grid");
    text(picture, x(tick), label, fixed(tick, 1), "rb-tick");
  });
}

// Neighbors that would overlap go one row up. The item in hand is placed last: it leaps over the others, which stay put.
function lanes(scores, x, active) {
  const order = scores.map((_, i) => i).sort((a, b) => (a === active) - (b === active) || scores[a] - scores[b]);
  const lane = [];
  order.forEach((i, placed) => {
    const near = order.slice(0, placed).filter((j) => Math.abs(x(scores[j]) - x(scores[i])) < LANE - 2);
    lane[i] = 0;
    while (near.some((j) => lane[j] === lane[i])) lane[i]++;
  });
  return lane;
}

export function scoreAxis(picture, x) {
  text(picture, 0, 12, "score", "rb-muted", "start");
  scoreTicks(picture, x, TOP - 8, AXIS, TOP - 16);
  line(picture, x(0), AXIS, x(1), AXIS, "rb-axis");
}

// The ranking below the axis: one slot of width `step` each, the best at the right, below the highest score. `looks` and
// `spoken` say how each item looks and what a screen reader hears; `below(i, to)` writes what stands under a slot.
export function ranking(picture, { x, scores, looks, items, active, step, spoken, below }) {
  // With many items at one spot, rows move together rather than out of the picture.
  const lane = lanes(scores, x, active);
  const pitch = Math.min(LANE, (LANES * LANE) / Math.max(1, ...lane));
  const radius = clamp(step / 2 - 3, 6, 13);
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  order.forEach((i, place) => {
    const look = `rb-${looks[i]}`, strong = i === active ? " rb-active" : "";
    const from = x(scores[i]), to = x(1) - (place + 0.5) * step, middle = (AXIS + SLOTS) / 2;
    if (lane[i]) line(picture, from, AXIS - lane[i] * pitch, from, AXIS, `rb-link ${look}${strong}`);
    svg(picture, "path", { d: `M${from},${AXIS}C${from},${middle} ${to},${middle} ${to},${SLOTS - radius}`, class: `rb-link ${look}${strong}` });
    svg(picture, "circle", { cx: to, cy: SLOTS, r: radius, class: `rb-mark ${look}` });
    if (radius > 9) text(picture, to, SLOTS + 4.5, letter(i), `rb-letter ${look}`);
    below(i, to);
    items[i].place(from, AXIS - lane[i] * pitch, {
      now: scores[i], shown: fixed(scores[i], 2), cls: looks[i], spoken: `score ${fixed(scores[i], 2)}, ${spoken[i]}`,
    });
  });
}

// ---- a row for each item: no handle hides another, no arrow crosses one ----
const ROW = 37, ROWS = 34; // height of a row, and where the first begins
const FACE = 17;           // an arrow starts beside the handle
const NUMBERS = 56;        // the column of numbers
const DEAD = 1e-6;         // arrows shrink below this, so that a dead gradient looks dead
export const FELT = 0.05;  // an item feels a push that is at least this share of the hardest one

export const rowAt = (i) => ROWS + (i + 0.5) * ROW;

function arrow(picture, from, to, y, cls) {
  const head = Math.min(8, Math.abs(to - from));
  if (head < 1) return;
  const back = to - Math.sign(to - from) * head;
  line(picture, from, y, back, y, `rb-push ${cls}`);
  svg(picture, "path", { d: `M${to},${y}L${back},${y - head * 0.75}V${y + head * 0.75}Z`, class: `rb-push-head ${cls}` });
}

function signed(push) {
  const size = Math.abs(push), digits = size < 1 ? 3 : size < 10 ? 2 : 1;
  return size < 0.0005 ? "0" : (push > 0 ? "+" : "") + fixed(push, digits);
}

// The first of those within rounding of the largest: opposite pushes of a pair are equal. Without a push: null.
export function hardestPush(push) {
  const sizes = push.map(Math.abs), top = Math.max(...sizes);
  return top > 0 ? sizes.findIndex((size) => size >= top * (1 - 1e-9)) : null;
}

// Each item on the score axis in a row of its own, and an arrow as long as its push beside the hardest. Returns picture and axis.
export function pushRows(plot, { width, scores, relevance, push, items }) {
  const reach = clamp(0.13 * width, 38, 90), right = width - NUMBERS - reach - FACE - 4, bottom = rowAt(scores.length - 0.5);
  const x = linear(0, 1, reach + FACE + 4, right);
  const picture = plot.clear(width, bottom + 24);
  text(picture, 0, 14, "pushed down \u2190", "rb-muted", "start");
  text(picture, right, 14, "\u2192 up", "rb-muted");
  text(picture, width, 14, "push", "rb-muted", "end");
  scoreTicks(picture, x, ROWS, bottom, bottom + 17);
  text(picture, 0, bottom + 17, "score", "rb-muted", "start");
  const hardest = hardestPush(push), top = Math.max(...push.map(Math.abs));
  scores.forEach((s, i) => {
    const y = rowAt(i), size = Math.abs(push[i]), side = Math.sign(push[i]), look = relevance[i] ? "relevant" : "irrelevant";
    const start = x(s) + side * FACE;
    arrow(picture, start, start + (side * reach * size) / Math.max(top, DEAD), y, `rb-${look}`);
    text(picture, width, y + 4.5, signed(push[i]), i === hardest ? "rb-strong" : size < FELT * top ? "rb-muted" : "", "end");
    items[i].place(x(s), y, { now: s, shown: fixed(s, 2), cls: look, spoken: `score ${fixed(s, 2)}, ${look}, push ${compact(push[i])}` });
  });
  return x;
}
