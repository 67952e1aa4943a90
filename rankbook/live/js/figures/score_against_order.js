// A row for each item: a ring at the measured score, a handle at the predicted one. Values near and order wrong, or the reverse.
import { button, tiles } from "../core/controls.js";
import { compact, fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, axis, circle, line, panel } from "../core/marks.js";
import { spearman } from "../shared/correlation.js";
import { itemHandles } from "../shared/items.js";

const SIDE = 24, TOP = 30, ROW = 40;

// The order of the target, squeezed into the low end: every value is far off.
function ordered(target) {
  const distinct = [...new Set(target)].sort((a, b) => a - b);
  return target.map((value) => Math.round((0.05 + (0.2 * distinct.indexOf(value)) / Math.max(1, distinct.length - 1)) * 100) / 100);
}

function build({ root, get, set }) {
  const start = get("scores");
  const row = html(root, "div", { class: "rb-choices" });
  button(row, "Values near, order wrong", () => set({ scores: start }));
  button(row, "Order right, values far", () => set({ scores: ordered(get("target")) }));
  const plot = panel(root);
  const [error, order, wrongTile, shareTile] = tiles(root, ["Squared error (MSE)", "Spearman", "Pairs in wrong order", "Largest share of the MSE"]);
  const handles = itemHandles(plot.box, { get, set, labels: "target", count: 1 });

  return function draw(width, { scores, target }) {
    const n = scores.length, squares = scores.map((score, i) => (score - target[i]) ** 2);
    const total = squares.reduce((sum, square) => sum + square, 0);
    const inverted = (i, j) => target[i] > target[j] && scores[i] <= scores[j];
    const pairs = scores.map((_, i) => scores.filter((__, j) => inverted(i, j)).length);
    const values = {
      mse: total / n, spearman: spearman(scores, target),
      wrong: pairs.reduce((sum, count) => sum + count, 0), share: total > 0 ? Math.max(...squares) / total : null,
    };

    const x = linear(0, 1, SIDE, width - SIDE), floor = TOP + n * ROW, picture = plot.clear(width, floor + 58);
    axis(picture, x, floor, FIFTHS, { name: "score", below: 20 });
    const rows = target.map((_, i) => i).sort((a, b) => target[b] - target[a]);
    const knobs = handles(n);
    rows.forEach((i, place) => {
      const y = TOP + place * ROW;
      line(picture, x.start, y, x.end, y, "rb-grid");
      line(picture, x(target[i]), y, x(scores[i]), y, "rb-guide");
      circle(picture, x(target[i]), y, 6, "rb-gap");
      const lost = pairs[i] + scores.filter((_, j) => inverted(j, i)).length;
      knobs[i].place(x, y, {
        now: scores[i], look: lost ? "irrelevant" : "relevant",
        spoken: `predicted ${fixed(scores[i], 2)}, measured ${fixed(target[i], 2)}, in ${lost} wrong pairs`,
      });
    });

    error.show(compact(values.mse), "from predicted to measured");
    order.show(values.spearman === null ? null : fixed(values.spearman, 3), values.spearman === null ? "all are equal" : "1 is the right order");
    wrongTile.show(String(values.wrong), `of ${(n * (n - 1)) / 2} pairs`);
    shareTile.show(values.share === null ? null : `${fixed(100 * values.share, 0)} %`, values.share === null ? "no error" : "of one item");
    return {
      values,
      summary: `squared error ${compact(values.mse)}, Spearman ${values.spearman === null ? "undefined" : fixed(values.spearman, 3)}, ${values.wrong} pairs in the wrong order`,
    };
  };
}

export default figure({
  label: "Predicted and measured scores: squared error against Spearman", traits: ["scores", "target"],
  legend: [["rb-dot rb-relevant", "in no wrong pair"], ["rb-dot rb-irrelevant", "in a wrong pair"]],
  hint: "Drag a letter; the small ring is what was measured.",
  build,
});
