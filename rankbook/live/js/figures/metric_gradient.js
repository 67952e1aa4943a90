// One list, four metrics: the arrow on each item is the gradient of the metric with sigmoid ranks.
import { choices, logSlider, tiles } from "../core/controls.js";
import { compact, fixed, metricText } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, panel } from "../core/marks.js";
import { itemHandles, letter } from "../shared/items.js";
import { ITEM_LEGEND, felt, hardest, hardestItem, pushRows } from "../shared/pushes.js";
import { exactMetric, softMetric } from "../shared/soft_metrics.js";

const NAMES = { AP: "AP", NDCG: "NDCG", RR: "reciprocal rank", "R@3": "recall@3" };

function build({ root, get, set }) {
  const choose = choices(root, { label: "metric", names: NAMES, change: (metric) => set({ metric }) });
  const showTau = logSlider(root, { label: "temperature \u03c4", min: 0.003, max: 1, change: (tau) => set({ tau }) });
  const plot = panel(root), handles = itemHandles(plot.box, { get, set });
  const [valueTile, hardestTile, movedTile] = tiles(root, ["", "Pushed hardest", "Items that feel it"], { bars: 1 });

  return function draw(width, { scores, relevance: labels, metric, tau }) {
    const relevance = labels.slice(0, scores.length);
    const { value, gradient } = softMetric(metric, scores, relevance, tau);
    const top = hardest(gradient), first = hardestItem(gradient);
    const values = { relevance, value, gradient, exact_value: exactMetric(metric, scores, relevance), hardest: first, moved: felt(gradient) };
    pushRows(plot, { width, scores, relevance, push: gradient, items: handles(scores.length) });
    choose(metric);
    showTau(tau);

    valueTile.rename(NAMES[metric]);
    if (value === null) valueTile.show(null, "needs a relevant item");
    else valueTile.show(fixed(value, 3), `exact ${fixed(values.exact_value, 3)}`, value);
    const name = first === null ? "none" : `${letter(first)} ${gradient[first] > 0 ? "up" : "down"}`;
    hardestTile.show(name, top < DEAD ? "dead: below one millionth" : `${compact(top)} per unit of score`);
    movedTile.show(`${values.moved} of ${scores.length}`, "at 5 % or more of the hardest push");
    return { values, summary: `${NAMES[metric]} ${metricText(value)}; pushed hardest: ${name}; ${values.moved} items feel it` };
  };
}

export default figure({
  label: "Gradient of a metric on each item", traits: ["scores", "relevance", "metric", "tau"],
  legend: ITEM_LEGEND, hint: "Choose a metric, drag an item. Enter switches its relevance.",
  build,
});
