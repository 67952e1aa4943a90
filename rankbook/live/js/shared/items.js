// Items with scores in [0, 1]: their letters, their handles, the axis that they stand on.
import { handle } from "../core/controls.js";
import { FIFTHS, line, numbers } from "../core/marks.js";

export const letter = (i) => String.fromCharCode(65 + i);
export const replaced = (values, i, value) => values.map((old, j) => (j === i ? value : old));

export const LANE = 36;  // height of one row of items

// Neighbors that would overlap go one row up. The item in hand is placed last: it leaps over the others, which stay put.
export function lanes(scores, x, active) {
  const order = scores.map((_, i) => i).sort((a, b) => (a === active) - (b === active) || scores[a] - scores[b]);
  const lane = [];
  order.forEach((i, placed) => {
    const near = order.slice(0, placed).filter((j) => Math.abs(x(scores[j]) - x(scores[i])) < LANE - 2);
    lane[i] = 0;
    while (near.some((j) => lane[j] === lane[i])) lane[i]++;
  });
  return lane;
}

// One handle for each item, made anew when their number changes. Enter and a double tap move the label of the item, the trait
// `labels`, to the next lower of `count` values; `taken(i)` hears which item the reader has in hand.
export function itemHandles(box, { get, set, labels = "relevance", count = 2, taken = () => {} }) {
  let items = [];
  const make = (i) => handle(box, {
    label: `item ${letter(i)}`, min: 0, max: 1, face: letter(i),
    change: (value) => { taken(i); set({ scores: replaced(get("scores"), i, value) }); },
    activate: () => set({ [labels]: replaced(get(labels), i, (get(labels)[i] + count - 1) % count) }),
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

// Upright grid lines from `top` to `bottom`, their numbers on the line `at`.
export function scoreGrid(picture, x, top, bottom, at) {
  FIFTHS.forEach((tick) => line(picture, x(tick), top, x(tick), bottom, "rb-grid"));
  numbers(picture, x, FIFTHS, at);
}
