// A row for each item: its score, and an arrow that shows where a gradient pushes it. No handle hides another, no arrow crosses one.
import { scoreGrid } from "./items.js";
import { clamp, compact, fixed, linear } from "../core/elements.js";
import { DEAD, line, path, text } from "../core/marks.js";

const ROW = 37, ROWS = 34; // height of a row, and where the first begins
const FACE = 17;           // an arrow starts beside the handle
const NUMBERS = 56;        // the column of numbers
const FELT = 0.05;         // an item feels a push that is at least this share of the hardest one

export const ITEM_LEGEND = [["rb-dot rb-relevant", "relevant"], ["rb-dot rb-irrelevant", "irrelevant"]];
export const rowAt = (i) => ROWS + (i + 0.5) * ROW;
export const hardest = (push) => Math.max(...push.map(Math.abs));

// How many feel their push, or what `of` makes of it.
export function felt(push, of = Math.abs) {
  const top = hardest(push);
  return top > 0 ? push.filter((value, i) => of(value, i) >= FELT * top).length : 0;
}

// The first of those within rounding of the largest: opposite pushes of a pair are equal. Without a push: null.
export function hardestItem(push) {
  const top = hardest(push);
  return top > 0 ? push.findIndex((value) => Math.abs(value) >= top * (1 - 1e-9)) : null;
}

// From one x to another, in a row.
export function arrow(picture, from, to, y, cls) {
  const head = Math.min(8, Math.abs(to - from));
  if (head < 1) return;
  const back = to - Math.sign(to - from) * head;
  line(picture, from, y, back, y, `rb-push ${cls}`);
  path(picture, `M${to},${y}L${back},${y - head * 0.75}V${y + head * 0.75}Z`, `rb-push-head ${cls}`);
}

export function signed(push) {
  const size = Math.abs(push), digits = size < 1 ? 3 : size < 10 ? 2 : 1;
  return size < 0.0005 ? "0" : (push > 0 ? "+" : "") + fixed(push, digits);
}

// Each item on the score axis in a row of its own, and an arrow as long as its push beside the hardest.
export function pushRows(plot, { width, scores, relevance, push, items }) {
  const reach = clamp(0.13 * width, 38, 90), right = width - NUMBERS - reach - FACE - 4, bottom = rowAt(scores.length - 0.5);
  const x = linear(0, 1, reach + FACE + 4, right), top = hardest(push), first = hardestItem(push);
  const picture = plot.clear(width, bottom + 24);
  text(picture, 0, 14, "pushed down \u2190", "rb-muted", "start");
  text(picture, right, 14, "\u2192 up", "rb-muted");
  text(picture, width, 14, "push", "rb-muted", "end");
  scoreGrid(picture, x, ROWS, bottom, bottom + 17);
  text(picture, 0, bottom + 17, "score", "rb-muted", "start");
  scores.forEach((s, i) => {
    const y = rowAt(i), size = Math.abs(push[i]), side = Math.sign(push[i]), look = relevance[i] ? "relevant" : "irrelevant";
    const start = x(s) + side * FACE;
    // arrows shrink where a gradient is dead, so that it looks dead
    arrow(picture, start, start + (side * reach * size) / Math.max(top, DEAD), y, `rb-${look}`);
    text(picture, width, y + 4.5, signed(push[i]), i === first ? "rb-strong" : size < FELT * top ? "rb-muted" : "", "end");
    items[i].place(x, y, { now: s, look, spoken: `score ${fixed(s, 2)}, ${look}, push ${compact(push[i])}` });
  });
}
