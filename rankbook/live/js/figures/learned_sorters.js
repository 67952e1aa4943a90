// Trained networks sort the reader's scores. Left: the gradient of SoDeep's mean rank loss. Right: predicted ranks against
// exact ranks. A shuffle hands the same scores to the network in another order.
import { button, choices, tiles } from "../core/controls.js";
import { compact, fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { circle, line, numbers, panel, point, text } from "../core/marks.js";
import { exactRanks } from "../core/math.js";
import { itemHandles, letter } from "../shared/items.js";
import { positives } from "../shared/metrics.js";
import { learnedRanks, unpack } from "../shared/networks.js";
import { ITEM_LEGEND, felt, hardest, pushRows, rowAt } from "../shared/pushes.js";

const ORDERED = ["BiGRUSorter"]; // they read the list item by item, so that its order matters
const GAP = 24;           // between the two columns
const LEFT = 46, RIGHT = 62; // beside the ranks: letters, and numbers

// Cut in half, then one from the lower half, one from the upper, and so on. Sooner or later the items are back where they were.
function riffled(n, shuffles) {
  const riffle = (order) => order.map((_, place) => order[Math.floor(place / 2) + (place % 2 ? 0 : Math.floor(n / 2))]);
  const rounds = [Array.from({ length: n }, (_, i) => i)];
  for (let next = riffle(rounds[0]); next.some((i, place) => i !== place); next = riffle(next)) rounds.push(next);
  return rounds[shuffles % rounds.length];
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function drawRanks(chart, width, { exact, ranks, unshuffled }) {
  const n = ranks.length, bottom = rowAt(n - 0.5), picture = chart.clear(width, bottom + 24);
  const r = linear(n, 1, LEFT, width - RIGHT), places = ranks.map((_, i) => i + 1);
  text(picture, width, 14, "predicted", "rb-muted", "end");
  text(picture, 0, bottom + 17, "rank", "rb-muted", "start");
  places.forEach((place) => line(picture, r(place), rowAt(-0.5), r(place), bottom, "rb-grid"));
  numbers(picture, r, places, bottom + 17, String);
  ranks.forEach((rank, i) => {
    const y = rowAt(i);
    text(picture, 0, y + 4.5, letter(i), "rb-muted", "start");
    line(picture, r(exact[i]), y, r(rank), y, "rb-error");
    circle(picture, r(exact[i]), y, 7, "rb-ring");
    circle(picture, r(unshuffled[i]), y, 4.5, "rb-before");  // under the predicted rank: shows if the shuffle moved it
    point(picture, r(rank), y, "smooth");
    text(picture, width, y + 4.5, fixed(rank, 2), "", "end");
  });
}

function build({ root, get, set }) {
  const networks = Object.fromEntries(get("networks").map((packed) => [packed.name, unpack(packed)]));
  const names = Object.fromEntries(Object.keys(networks).map((name) => [name, name]));
  const choose = Object.keys(names).length > 1 ? choices(root, { label: "sorter", names, change: (sorter) => set({ sorter }) }) : () => {};
  const ordered = get("networks").some(({ architecture }) => ORDERED.includes(architecture)); // else there is nothing to see
  const feed = ordered && html(root, "div", { class: "rb-feed" });
  if (ordered) button(feed, "Shuffle the input", () => set({ shuffles: get("shuffles") + 1 }));
  const said = ordered && html(feed, "span", { class: "rb-hint" });
  const pair = html(root, "div", { class: "rb-pair rb-below" });
  const plot = panel(pair), chart = panel(pair), handles = itemHandles(plot.box, { get, set });
  const [errorTile, meanTile, againstTile, orderTile] =
    tiles(root, ["Mean rank error", "Mean rank of relevant", "Pushed against label", ...(ordered ? ["Moved by the shuffle"] : [])]);

  return function draw(total, { scores, relevance: labels, sorter, shuffles }) {
    const n = scores.length, relevance = labels.slice(0, n), relevant = positives(relevance), order = riffled(n, shuffles);

    // The network sees the items in this order; back come ranks and gradient, which go to the items that they belong to.
    const pull = relevance.map((rel) => (rel ? 1 / relevant.length : 0));
    const answer = learnedRanks(networks[sorter], order.map((i) => scores[i]), order.map((i) => pull[i]));
    const ranks = [], push = [];
    order.forEach((i, place) => { ranks[i] = answer.ranks[place]; push[i] = -answer.gradient[place]; });
    const unshuffled = shuffles ? learnedRanks(networks[sorter], scores, pull).ranks : ranks;

    const exact = exactRanks(scores);
    const among = (values) => (relevant.length ? mean(relevant.map((i) => values[i])) : null);
    const values = {
      relevance, order, ranks, push,
      mean_rank: among(ranks),
      exact_mean_rank: among(exact),
      rank_error: mean(ranks.map((rank, i) => Math.abs(rank - exact[i]))),
      against: felt(push, (value, i) => (relevance[i] ? -value : value)),
      order_effect: mean(ranks.map((rank, i) => Math.abs(rank - unshuffled[i]))),
    };

    const wide = total >= 600, left = wide ? Math.round(0.58 * (total - GAP)) : total;
    pushRows(plot, { width: left, scores, relevance, push, items: handles(n) });
    drawRanks(chart, wide ? total - GAP - left : total, { exact, ranks, unshuffled });
    choose(sorter);

    const error = (i) => Math.abs(ranks[i] - exact[i]), worst = ranks.reduce((at, _, i) => (error(i) > error(at) ? i : at), 0);
    errorTile.show(fixed(values.rank_error, 3), `most for ${letter(worst)}: ${fixed(error(worst), 3)}`);
    if (relevant.length) meanTile.show(fixed(values.mean_rank, 3), `exact ${fixed(values.exact_mean_rank, 3)}`);
    else meanTile.show(null, "needs a relevant item");
    againstTile.show(`${values.against} of ${n}`, `hardest push ${compact(hardest(push))}`);
    const moved = values.order_effect >= 1e-9, effect = moved ? compact(values.order_effect) : "0"; // below: rounding
    if (ordered) said.textContent = `The network reads ${order.map(letter).join(" ")}`;
    if (ordered) orderTile.show(effect, moved ? "places from the small rings" : order.every((i, place) => i === place) ? "press Shuffle" : "nothing moved");
    return {
      values,
      summary: `${sorter}: mean rank error ${fixed(values.rank_error, 3)}, ${values.against} items pushed against their label` +
        (ordered ? `, moved ${effect} by the shuffle` : ""),
    };
  };
}

export default figure({
  label: "Trained sorters, the ranks that they predict and the gradient that they give", traits: ["scores", "relevance", "sorter", "shuffles"],
  legend: [...ITEM_LEGEND, ["rb-dot rb-exact", "exact rank"], ["rb-dot rb-smooth", "predicted rank"]],
  hint: "Drag an item. Enter switches its relevance.",
  build,
});
