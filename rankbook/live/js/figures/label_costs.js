// The pictures of one label on a probability axis; below, what the cross-entropy charges for each. AP reads the order alone.
import { handle, tiles } from "../core/controls.js";
import { clamp, fixed, linear, metricText } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, across, axis, curve, line, mark, numbers, panel, text } from "../core/marks.js";
import { LANE, itemHandles, lanes } from "../shared/items.js";
import { averagePrecision } from "../shared/metrics.js";

const LEFT = 34, RIGHT = 22, TOP = 44, FLOOR = 206, SHIFT = 270, HEIGHT = 326;  // below the axis with the pictures
const EDGE = 0.01;  // probabilities stay this far from 0 and 1, where a cost is infinite
const LOOKS = ["irrelevant", "relevant"];

const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
function cost(score, relevant, shift) {
  const p = clamp(score, EDGE, 1 - EDGE), logit = Math.log(p / (1 - p)) + shift;
  return softplus(relevant ? -logit : logit);
}
const total = (values) => values.reduce((sum, value) => sum + value, 0);

function build({ root, get, set }) {
  const plot = panel(root), handles = itemHandles(plot.box, { get, set });
  const knob = handle(plot.box, {
    label: "shift of all log-odds", min: -4, max: 4, face: "", digits: 1, nudge: (value, steps) => value + steps / 10,
    change: (shift) => set({ shift }),
  });
  const [entropyTile, shareTile, apTile] = tiles(root, ["Cross-entropy", "Of it without the label", "AP"]);

  return function draw(width, { scores: all, relevance: labels, shift }) {
    const n = Math.min(all.length, labels.length), scores = all.slice(0, n), relevance = labels.slice(0, n);
    const costs = scores.map((s, i) => cost(s, relevance[i], shift));
    const values = {
      scores, relevance, costs, cross_entropy: total(costs) / n,
      from_irrelevant: total(costs.filter((_, i) => !relevance[i])) / total(costs),
      average_precision: averagePrecision(scores, relevance),
    };

    const x = linear(0, 1, LEFT, width - RIGHT), rows = width < 600 ? 2 : 1, strip = 22 + rows * LANE;
    const highest = Math.max(2, Math.ceil(Math.max(...costs)));
    const y = linear(0, highest, strip + FLOOR, strip + TOP), picture = plot.clear(width, strip + HEIGHT);
    line(picture, x.start, strip, x.end, strip, "rb-axis");
    text(picture, 0, strip + TOP - 14, "cost of a picture", "rb-muted", "start");
    across(picture, x, y, Array.from({ length: highest + 1 }, (_, tick) => tick).filter((tick) => highest < 5 || tick % 2 === 0));
    numbers(picture, x, FIFTHS, strip + FLOOR + 18);
    const within = (relevant) => (s) => { const value = cost(s, relevant, shift); return value <= highest ? value : NaN; };  // NaN: a gap
    curve(picture, x, y, within(1), "rb-relevant");
    curve(picture, x, y, within(0), "rb-smooth rb-dashed");
    const lane = lanes(scores, x, null), pitch = Math.min(LANE, (rows * LANE) / Math.max(1, ...lane));
    scores.forEach((s, i) => {
      line(picture, x(s), strip - lane[i] * pitch, x(s), y(costs[i]), "rb-guide rb-dotted");
      mark(picture, x(s), y(costs[i]), 6, LOOKS[relevance[i]]);
    });
    handles(n).forEach((item, i) => item.place(x, strip - lane[i] * pitch, {
      now: scores[i], look: LOOKS[relevance[i]], spoken: `probability ${fixed(scores[i], 2)}, ${relevance[i] ? "has" : "lacks"} the label`,
    }));
    const z = linear(-4, 4, LEFT, width - RIGHT);
    axis(picture, z, strip + SHIFT, [-4, -2, 0, 2, 4], { label: (tick) => fixed(tick, 0), name: "shift of all log-odds" });
    knob.place(z, strip + SHIFT, { now: shift, spoken: `all log-odds shifted by ${fixed(shift, 1)}` });

    entropyTile.show(fixed(values.cross_entropy, 3), "mean cost of a picture");
    shareTile.show(`${Math.round(100 * values.from_irrelevant)} %`, "share of the cost");
    const ap = values.average_precision;
    apTile.show(ap === null ? null : fixed(ap, 3), ap === null ? "needs the label" : "of the order alone");
    return { values, summary: `Cross-entropy ${fixed(values.cross_entropy, 3)}, AP ${metricText(ap)}` };
  };
}

export default figure({
  label: "Cross-entropy and AP of one label", traits: ["scores", "relevance", "shift"],
  legend: [
    ["rb-dot rb-relevant", "has the label"], ["rb-dot rb-irrelevant", "lacks it"],
    ["rb-stroke rb-relevant", "cost with the label"], ["rb-stroke rb-smooth rb-dashed", "cost without"],
  ],
  hint: "Drag the shift, then a picture past another.",
  build,
});
