// RS@k at one k: two temperatures, the floor of the loss, and an arrow on each item that its gradient moves.
import { logSlider, tiles } from "../core/controls.js";
import { compact, fixed, html } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, panel } from "../core/marks.js";
import { itemHandles, letter } from "../shared/items.js";
import { cappedRecall, positives } from "../shared/metrics.js";
import { ITEM_LEGEND, felt, hardest, pushRows } from "../shared/pushes.js";
import { cutoff, cutoffStepper } from "../shared/ranking.js";
import { softRecallLoss } from "../shared/soft_metrics.js";

// The loss of the perfect order, with exact ranks.
function floorOf(count, k, tauRank) {
  let sum = 0;
  for (let place = 1; place <= count; place++) sum += 1 / (1 + Math.exp((place - k) / tauRank));
  const most = Math.min(k, count);
  return 1 - Math.min(sum, most) / most;
}

function build({ root, get, set }) {
  const showScore = logSlider(root, { label: "\u03c4 of the ranks, in scores", min: 0.003, max: 0.3, change: (tau_score) => set({ tau_score }) });
  const showRank = logSlider(root, { label: "\u03c4 of the cut, in ranks", min: 0.05, max: 2, change: (tau_rank) => set({ tau_rank }) });
  const plot = panel(root), handles = itemHandles(plot.box, { get, set });
  const [exactTile, lossTile, floorTile, pushTile] = tiles(root, ["1 \u2212 recall", "RS@k", "A perfect list", "Pushed hardest"], { bars: 3 });
  cutoffStepper(html(exactTile.head, "span"), { get, set });

  return function draw(width, { scores: all, relevance: labels, k: wanted, tau_score, tau_rank }) {
    const n = Math.min(all.length, labels.length), scores = all.slice(0, n), relevance = labels.slice(0, n), k = cutoff(wanted, n);
    const count = positives(relevance).length, there = count > 0;
    const { loss, gradient, ranks, inside } = softRecallLoss(scores, relevance, k, tau_score, tau_rank);
    const values = { scores, relevance, k, ranks, inside, gradient: there ? gradient : scores.map(() => 0), loss: null, exact: null, floor: null, moved: 0 };
    if (there) Object.assign(values, { loss, exact: 1 - cappedRecall(scores, relevance, [k]), floor: floorOf(count, k, tau_rank), moved: felt(gradient) });
    const push = values.gradient.map((g) => 0 - g), top = hardest(push), first = push.findIndex((p) => Math.abs(p) >= top * (1 - 1e-9));
    pushRows(plot, { width, scores, relevance, push, items: handles(n) });
    showScore(tau_score);
    showRank(tau_rank);
    exactTile.rename(`1 \u2212 recall@${k}`);
    if (!there) [exactTile, lossTile, floorTile, pushTile].forEach((tile) => tile.show(null, "needs a relevant item"));
    else {
      const parts = positives(relevance).map((i) => fixed(inside[i], 2)).join(" + ");
      exactTile.show(fixed(values.exact, 3), `the ${count} relevant items, top ${k}`, values.exact);
      lossTile.show(fixed(loss, 3), `1 \u2212 (${parts}) / ${Math.min(k, count)}`, loss);
      floorTile.show(fixed(values.floor, 3), "the floor: all first, no doubt", values.floor);
      pushTile.show(top < DEAD ? "nobody" : `${letter(first)} ${push[first] > 0 ? "up" : "down"}`, top < DEAD ? "the gradient is dead" : `${compact(top)} per unit; ${values.moved} feel it`);
    }
    const summary = there ? `1 minus recall ${fixed(values.exact, 3)}, RS@k ${fixed(loss, 3)}, floor ${fixed(values.floor, 3)}, ${top < DEAD ? "no item is pushed" : `${letter(first)} is pushed hardest`}` : "no relevant item";
    return { values, summary };
  };
}

export default figure({
  label: "RS@k on one list, with two temperatures", traits: ["scores", "relevance", "k", "tau_score", "tau_rank"],
  legend: ITEM_LEGEND,
  hint: "This list is perfect. Does any temperature bring RS@k to 0?",
  build,
});
