// Ten scores, evenly spaced, then bent: rings. A model knows the largest and predicts one value for the others: dots.
import { handle, tiles } from "../core/controls.js";
import { fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { across, axis, circle, line, mark, panel, text } from "../core/marks.js";
import { spearman } from "../shared/correlation.js";

const N = 10, LEFT = 34, RIGHT = 22, TOP = 44, FLOOR = 216, KNOWN = 256, BEND = 356, HEIGHT = 416;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const apart = (values, others) => values.reduce((sum, value, i) => sum + (value - others[i]) ** 2, 0);

function build({ root, set }) {
  const plot = panel(html(root, "div"));
  const knownKnob = handle(plot.box, {
    label: "how many of the largest the model knows", min: 1, max: N - 1, digits: 0, face: "k", nudge: (value, steps) => value + steps,
    change: (known) => set({ known }),
  });
  const bendKnob = handle(plot.box, {
    label: "bend of the scale", min: 0, max: 8, digits: 1, face: "b", nudge: (value, steps) => value + steps / 10, change: (bend) => set({ bend }),
  });
  const [errorTile, orderTile, pairsTile] = tiles(root, ["Squared error removed", "Spearman", "Pairs in order"]);

  return function draw(width, { bend, known }) {
    const target = Array.from({ length: N }, (_, i) => 1 - i / (N - 1)).map((t) => (bend ? Math.expm1(bend * t) / Math.expm1(bend) : t));
    const rest = mean(target.slice(known)), scores = target.map((value, i) => (i < known ? value : rest));
    const values = {
      target, scores, explained: 1 - apart(scores, target) / apart(target, target.map(() => mean(target))),
      spearman: spearman(scores, target), ordered: (N * (N - 1) - (N - known) * (N - known - 1)) / 2,
    };

    const x = linear(1, N, LEFT + 14, width - RIGHT), y = linear(0, 1, FLOOR, TOP), picture = plot.clear(width, HEIGHT);
    text(picture, 0, 18, "score, measured and predicted", "rb-muted", "start");
    across(picture, linear(1, N, LEFT, width - RIGHT), y, [0, 0.5, 1]);
    target.forEach((value, i) => {
      line(picture, x(i + 1), y(value), x(i + 1), y(scores[i]), "rb-guide");
      circle(picture, x(i + 1), y(value), 8, "rb-gap");
      mark(picture, x(i + 1), y(scores[i]), 4.5, i < known ? "relevant" : "irrelevant");
    });
    axis(picture, x, KNOWN, target.map((_, i) => i + 1), { label: String, name: "place of the item; the model knows the first k" });
    knownKnob.place(x, KNOWN, { now: known, look: "relevant", spoken: `the ${known} largest of ${N} are known` });
    const z = linear(0, 8, LEFT + 14, width - RIGHT);
    axis(picture, z, BEND, [0, 2, 4, 6, 8], { label: String, name: "bend b of the scale" });
    bendKnob.place(z, BEND, { now: bend, spoken: `bend ${fixed(bend, 1)}, ${Math.round(100 * values.explained)} % of the squared error removed` });

    errorTile.show(`${Math.round(100 * values.explained)} %`, `by knowing ${known} of ${N}`);
    orderTile.show(fixed(values.spearman, 3), "whatever the bend");
    pairsTile.show(String(values.ordered), `of ${(N * (N - 1)) / 2} pairs`);
    return {
      values,
      summary: `${Math.round(100 * values.explained)} % of the squared error removed, Spearman ${fixed(values.spearman, 3)}, ${values.ordered} pairs in order`,
    };
  };
}

export default figure({
  label: "A bent scale: squared error against order", traits: ["bend", "known"],
  legend: [["rb-dot rb-relevant", "predicted exactly"], ["rb-dot rb-irrelevant", "one value for all others"]],
  hint: "Drag b: the order stays. Then drag k.",
  build,
});
