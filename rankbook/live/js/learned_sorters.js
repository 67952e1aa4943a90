// Trained networks sort the reader's scores. Left: the gradient of SoDeep's mean rank loss. Right: predicted ranks against
// exact ranks. A shuffle hands the same scores to the network in another order.
import { exactRanks } from "./math.js";
import { learnedRanks, unpack } from "./networks.js";
import { choices, compact, figure, fixed, html, legendEntry, line, linear, panel, svg, text, tile, tiles } from "./ui.js";
import { FELT, itemHandles, letter, pushRows, rowAt, switchRelevance } from "./strip.js";

const GAP = 24;           // between the two columns
const LEFT = 46, RIGHT = 62; // beside the ranks: letters, and numbers

// Cut in half, then one from the lower half, one from the upper, and so on.
function riffled(n, shuffles) {
  let order = Array.from({ length: n }, (_, i) => i);
  for (let k = 0; k < shuffles; k++) order = order.map((_, place) => order[Math.floor(place / 2) + (place % 2 ? 0 : Math.floor(n / 2))]);
  return order;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-dot rb-relevant", "relevant");
  legendEntry(legend, "rb-dot rb-irrelevant", "irrelevant");
  legendEntry(legend, "rb-dot rb-exact", "exact rank");
  legendEntry(legend, "rb-dot rb-smooth", "predicted rank");
  html(legend, "span", { class: "rb-hint" }, "Drag an item. Enter switches its relevance.");
  const networks = Object.fromEntries(get("networks").map((packed) => [packed.name, unpack(packed)]));
  const names = Object.fromEntries(Object.keys(networks).map((name) => [name, name]));
  const choose = choices(root, { label: "sorter", names, change: (sorter) => set({ sorter }) });
  const feed = html(root, "div", { class: "rb-feed" });
  const button = html(feed, "button", { type: "button", class: "rb-button" }, "Shuffle the input");
  button.addEventListener("click", () => set({ shuffles: get("shuffles") + 1 }));
  const said = html(feed, "span", { class: "rb-hint" });
  const pair = html(root, "div", { class: "rb-pair rb-below" });
  const plot = panel(pair), chart = panel(pair);
  const row = tiles(root, 4);
  const errorTile = tile(row, "Mean rank error"), meanTile = tile(row, "Mean rank of relevant");
  const againstTile = tile(row, "Pushed against label"), orderTile = tile(row, "Moved by the shuffle");

  let x = linear(0, 1, 0, 1);
  const handles = itemHandles(plot.box, { get, set, scale: () => x, activate: switchRelevance({ get, set }) });

  function drawRanks(width, exact, ranks, unshuffled) {
    const n = ranks.length, bottom = rowAt(n - 0.5), picture = chart.clear(width, bottom + 24);
    const r = linear(n, 1, LEFT, width - RIGHT);
    text(picture, width, 14, "predicted", "rb-muted", "end");
    text(picture, 0, bottom + 17, "rank", "rb-muted", "start");
    exact.forEach((_, i) => {
      line(picture, r(i + 1), rowAt(-0.5), r(i + 1), bottom, "rb-grid");
      text(picture, r(i + 1), bottom + 17, String(i + 1), "rb-tick");
    });
    ranks.forEach((rank, i) => {
      const y = rowAt(i), dot = (at, radius, cls) => svg(picture, "circle", { cx: r(at), cy: y, r: radius, class: cls });
      text(picture, 0, y + 4.5, letter(i), "rb-muted", "start");
      line(picture, r(exact[i]), y, r(rank), y, "rb-error");
      dot(exact[i], 7, "rb-ring");
      dot(unshuffled[i], 4.5, "rb-before");  // under the predicted rank: shows if the shuffle moved it
      dot(rank, 4.5, "rb-point rb-smooth");
      text(picture, width, y + 4.5, fixed(rank, 2), "", "end");
    });
  }

  return function draw(total) {
    const scores = get("scores"), n = scores.length, relevance = get("relevance").slice(0, n);
    const sorter = get("sorter"), shuffles = get("shuffles");
    const relevant = relevance.flatMap((rel, i) => (rel ? [i] : []));
    const order = riffled(n, shuffles);

    // The network sees the items in this order; back come ranks and gradient, which go to the items that they belong to.
    const pull = relevance.map((rel) => (rel ? 1 / relevant.length : 0));
    const answer = learnedRanks(networks[sorter], order.map((i) => scores[i]), order.map((i) => pull[i]));
    const ranks = [], push = [];
    order.forEach((i, place) => { ranks[i] = answer.ranks[place]; push[i] = -answer.gradient[place]; });
    const unshuffled = shuffles ? learnedRanks(networks[sorter], scores, pull).ranks : ranks;

    const exact = exactRanks(scores), hardest = Math.max(...push.map(Math.abs));
    const among = (values) => (relevant.length ? mean(relevant.map((i) => values[i])) : null);
    const values = {
      scores, relevance, sorter, shuffles, order, ranks, push,
      mean_rank: among(ranks),
      exact_mean_rank: among(exact),
      rank_error: mean(ranks.map((rank, i) => Math.abs(rank - exact[i]))),
      against: hardest > 0 ? push.filter((value, i) => (relevance[i] ? -value : value) >= FELT * hardest).length : 0,
      order_effect: mean(ranks.map((rank, i) => Math.abs(rank - unshuffled[i]))),
    };

    const wide = total >= 600, left = wide ? Math.round(0.58 * (total - GAP)) : total;
    x = pushRows(plot, { width: left, scores, relevance, push, items: handles(n) });
    drawRanks(wide ? total - GAP - left : total, exact, ranks, unshuffled);
    choose(sorter);
    said.textContent = `The network reads ${order.map(letter).join(" ")}`;

    const worst = ranks.reduce((at, rank, i) => (Math.abs(rank - exact[i]) > Math.abs(ranks[at] - exact[at]) ? i : at), 0);
    errorTile.show(fixed(values.rank_error, 3), `most for ${letter(worst)}: ${fixed(Math.abs(ranks[worst] - exact[worst]), 3)}`);
    meanTile.show(relevant.length ? fixed(values.mean_rank, 3) : "\u2013", relevant.length ? `exact ${fixed(values.exact_mean_rank, 3)}` : "needs a relevant item");
    againstTile.show(`${values.against} of ${n}`, `hardest push ${compact(hardest)}`);
    const moved = values.order_effect >= 1e-9, effect = moved ? compact(values.order_effect) : "0"; // below: rounding
    orderTile.show(effect, moved ? "places from the small rings" : order.every((i, place) => i === place) ? "press Shuffle" : "nothing moved");
    return {
      values,
      summary: `${sorter}: mean rank error ${fixed(values.rank_error, 3)}, ${values.against} items pushed against their label, ` +
        `moved ${effect} by the shuffle`,
    };
  };
}

export default figure({ label: "Trained sorters, the ranks that they predict and the gradient that they give", traits: ["scores", "relevance", "sorter", "shuffles"], build });
