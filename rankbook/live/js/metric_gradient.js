// One list, four metrics: the arrow on each item is the gradient of the metric with sigmoid ranks.
import { exactMetric, softMetric } from "./math.js";
import { choices, compact, figure, fixed, html, legendEntry, linear, logSlider, panel, tile, tiles } from "./ui.js";
import { FELT, hardestPush, itemHandles, letter, pushRows, switchRelevance } from "./strip.js";

const TAU = { min: 0.003, max: 1 };
const DEAD = 1e-6;
const NAMES = { AP: "AP", NDCG: "NDCG", RR: "reciprocal rank", "R@3": "recall@3" };

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-dot rb-relevant", "relevant");
  legendEntry(legend, "rb-dot rb-irrelevant", "irrelevant");
  html(legend, "span", { class: "rb-hint" }, "Choose a metric, drag an item. Enter switches its relevance.");
  const choose = choices(root, { label: "metric", names: NAMES, change: (metric) => set({ metric }) });
  const showTau = logSlider(root, { label: "temperature \u03c4", ...TAU, change: (tau) => set({ tau }) });
  const plot = panel(root);
  const row = tiles(root, 3);
  const valueTile = tile(row, "", { bar: true }), hardestTile = tile(row, "Pushed hardest"), movedTile = tile(row, "Items that feel it");

  let x = linear(0, 1, 0, 1);
  const handles = itemHandles(plot.box, { get, set, scale: () => x, activate: switchRelevance({ get, set }) });

  return function draw(width) {
    const scores = get("scores"), relevance = get("relevance").slice(0, scores.length), metric = get("metric"), tau = get("tau");
    const { value, gradient } = softMetric(metric, scores, relevance, tau);
    const push = gradient.map(Math.abs), top = Math.max(...push);
    const values = {
      scores, relevance, metric, tau, value, gradient,
      exact_value: exactMetric(metric, scores, relevance),
      hardest: hardestPush(gradient),
      moved: top > 0 ? push.filter((size) => size >= FELT * top).length : 0,
    };
    x = pushRows(plot, { width, scores, relevance, push: gradient, items: handles(scores.length) });
    choose(metric);
    showTau(tau);

    valueTile.rename(NAMES[metric]);
    const hardest = values.hardest === null ? "none" : `${letter(values.hardest)} ${gradient[values.hardest] > 0 ? "up" : "down"}`;
    if (value === null) valueTile.show("\u2013", "needs a relevant item");
    else valueTile.show(fixed(value, 3), `exact ${fixed(values.exact_value, 3)}`, value);
    hardestTile.show(hardest, top < DEAD ? "dead: below one millionth" : `${compact(top)} per unit of score`);
    movedTile.show(`${values.moved} of ${scores.length}`, "at 5 % or more of the hardest push");
    return {
      values,
      summary: `${NAMES[metric]} ${value === null ? "undefined" : fixed(value, 3)}; pushed hardest: ${hardest}; ${values.moved} items feel it`,
    };
  };
}

export default figure({ label: "Gradient of a metric on each item", traits: ["scores", "relevance", "metric", "tau"], build });
