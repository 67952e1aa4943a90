// Items with scores in [0, 1]: their letters, their handles, the axis that they stand on.
import { handle } from "../core/controls.js";
import { FIFTHS, line, numbers } from "../core/marks.js";

export const letter = (i) => String.fromCharCode(65 + i);
export const replaced = (values, i, value) => values.map((old, j) => (j === i ? value : old));

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
