// Scores in steps: items in one cell are tied, and any order of them may come out. Each metric from its worst order to its best.
import { choices, tiles } from "../core/controls.js";
import { fixed, html, linear, metricText } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, line, mark, numbers, panel, point, rect, text } from "../core/marks.js";
import { BOARD, metricRows } from "../shared/board.js";
import { LANE, itemHandles, lanes, letter } from "../shared/items.js";
import { positives, worstOrder } from "../shared/metrics.js";
import { cutoff } from "../shared/ranking.js";
import { SEVEN, inSteps, measured, ofPlaces, tieOrders } from "../shared/seven.js";

const SIDE = 28, AXIS = 96, SLOTS = 158, ROWS = 206;
const STEPS = { "as they are": 0, tenths: 0.1, fifths: 0.2, halves: 0.5, "whole numbers": 1 };

function build({ root, get, set }) {
  const row = html(root, "div", { class: "rb-feed", style: "margin-bottom: 12px" });
  html(row, "span", {}, "scores");
  const showStep = choices(row, { label: "Round the scores to", names: Object.fromEntries(Object.keys(STEPS).map((name) => [name, name])), change: (name) => set({ step: STEPS[name] }) });
  const plot = panel(root);
  const [results, low, high, ours] = tiles(root, ["Possible lists", "AP at worst", "AP at best", "AP in rankbook"]);
  let active = null;
  const handles = itemHandles(plot.box, { get, set, taken: (i) => { active = i; } });

  return function draw(width, { scores, relevance, k: wanted, step }) {
    const n = Math.min(scores.length, relevance.length), items = handles(n), k = cutoff(wanted, n);
    const levels = inSteps(scores.slice(0, n), step), labels = relevance.slice(0, n);
    const ranks = worstOrder(levels, labels), returned = positives(labels).length ? measured(levels, labels, k) : null;
    const orders = tieOrders(levels, labels);
    const spread = returned && orders.map((places) => ofPlaces(places, k));
    const across = (summarize) => spread && SEVEN.map((metric) => summarize(spread.map((values) => values[metric])));
    const values = {
      k, possible: orders.length,
      worst: across((all) => Math.min(...all)), best: across((all) => Math.max(...all)),
      average: across((all) => all.reduce((sum, value) => sum + value, 0) / all.length),
      returned: returned && SEVEN.map((metric) => returned[metric]),
    };
    const x = linear(0, 1, SIDE, width - SIDE), slot = (x.end - x.start) / n, radius = Math.min(13, slot / 2 - 4);
    const picture = plot.clear(width, ROWS + BOARD);

    // The cells: what lies between two lines gets one score.
    for (let edge = step / 2; step && edge < 1; edge += step) line(picture, x(edge), 26, x(edge), AXIS, "rb-guide rb-dotted");
    text(picture, 0, 10, step ? `rounded to steps of ${step}` : "score", "rb-muted", "start");
    line(picture, x.start, AXIS, x.end, AXIS, "rb-axis");
    numbers(picture, x, FIFTHS, AXIS + 34);
    const lane = lanes(scores, x, active), pitch = Math.min(LANE, (2 * LANE - 14) / Math.max(1, ...lane));

    // The ranking: a frame around items that are tied.
    [...new Set(levels)].forEach((level) => {
      const tied = ranks.filter((_, i) => levels[i] === level);
      if (tied.length > 1) rect(picture, x.end - Math.max(...tied) * slot + 2, SLOTS - 18, tied.length * slot - 4, 36, "rb-band", { rx: 18 });
    });
    ranks.forEach((rank, i) => {
      mark(picture, x.end - (rank - 0.5) * slot, SLOTS, radius, labels[i] ? "relevant" : "irrelevant", radius > 9 ? letter(i) : "");
      const tied = levels.filter((level) => level === levels[i]).length - 1, look = labels[i] ? "relevant" : "irrelevant";
      items[i].place(x, AXIS - lane[i] * pitch, { now: scores[i], look, spoken: `score ${fixed(scores[i], 2)}, ${look}, tied with ${tied}` });
    });
    text(picture, 0, SLOTS + 37, "best at the right; within a frame any order", "rb-muted", "start");

    metricRows(picture, width, ROWS, k, (metric, at, y) => {
      if (!spread) return ["undefined", "rb-muted"];
      const m = SEVEN.indexOf(metric), [worst, mean, best] = [values.worst[m], values.average[m], values.best[m]];
      line(picture, at(worst), y, at(best), y, "rb-error");
      line(picture, at(mean), y - 8, at(mean), y + 8, "rb-guide");
      point(picture, at(values.returned[m]), y, "exact", 5);
      return [best - worst < 1e-12 ? fixed(best, 3) : `${fixed(worst, 3)}\u2013${fixed(best, 3)}`, "rb-flat"];
    });
    showStep(Object.keys(STEPS).find((name) => STEPS[name] === step));
    const ap = SEVEN.indexOf("average_precision"), shown = (list) => (list ? fixed(list[ap], 3) : null);
    results.show(String(orders.length), orders.length > 1 ? "by the luck of the sort" : "no tie that matters");
    low.show(shown(values.worst), "the irrelevant first");
    high.show(shown(values.best), "the relevant first");
    ours.show(shown(values.returned), "the last shared place");
    const summary = spread ? `${orders.length} possible lists, AP from ${metricText(values.worst[ap])} to ${metricText(values.best[ap])}` : "No item is relevant: the metrics are undefined";
    return { values, summary };
  };
}

export default figure({
  label: "Tied scores, and what each metric may say of them", traits: ["scores", "relevance", "k", "step"],
  legend: [["rb-stroke rb-exact", "worst to best order"], ["rb-dot rb-full", "what rankbook returns"]],
  hint: "The upright mark is the mean of all orders.",
  build,
});
