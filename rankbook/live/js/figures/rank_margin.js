// One image, its captions: a triplet loss on scores or on ranks, and where it pushes each caption.
import { choices, logSlider, tiles } from "../core/controls.js";
import { fixed } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { panel } from "../core/marks.js";
import { sigmoidRankJacobian, sigmoidRanks } from "../core/math.js";
import { itemHandles } from "../shared/items.js";
import { felt, pushRows } from "../shared/pushes.js";

const NAMES = { score: "on scores, 0.2", place: "on ranks, 1 place", places: "on ranks, 3 places" };
const MARGINS = { score: 0.2, place: 1, places: 3 };
const ZERO = 1e-12; // a loss below this is rounding

const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;

// The lead of the answer over its hardest rival, and its gradient; further captions of the image are not in the list.
function leadOf(scores, relevance, loss, tau) {
  const answer = relevance.indexOf(1), here = scores.map((_, i) => i).filter((i) => i === answer || !relevance[i]);
  const rivals = here.filter((i) => i !== answer), best = Math.max(...rivals.map((i) => scores[i]));
  const hardest = rivals.filter((i) => scores[i] === best), gradient = scores.map(() => 0);
  const list = here.map((i) => scores[i]), at = here.indexOf(answer), rank = 1 + rivals.filter((i) => scores[i] >= scores[answer]).length;
  if (loss === "score") {
    gradient[answer] = 1;
    hardest.forEach((i) => { gradient[i] = -1 / hardest.length; });
    return { lead: scores[answer] - best, gradient, rank };
  }
  const ranks = sigmoidRanks(list, tau), slopes = sigmoidRankJacobian(list, tau), places = hardest.map((i) => here.indexOf(i));
  here.forEach((i, k) => { gradient[i] = mean(places.map((p) => slopes[p][k])) - slopes[at][k]; });
  return { lead: mean(places.map((p) => ranks[p])) - ranks[at], gradient, rank };
}

function build({ root, get, set }) {
  const choose = choices(root, { label: "margin", names: NAMES, change: (loss) => set({ loss }) });
  const showTau = logSlider(root, { label: "temperature \u03c4", min: 0.003, max: 0.3, change: (tau) => set({ tau }) });
  const plot = panel(root), handles = itemHandles(plot.box, { get, set });
  const [lossTile, leadTile, rankTile, feltTile] = tiles(root, ["Loss", "Lead", "Rank of the answer", "Captions that feel it"], { bars: 1 });

  return function draw(width, { scores, relevance: labels, loss, tau }) {
    const n = Math.min(scores.length, labels.length), own = scores.slice(0, n), relevance = labels.slice(0, n), margin = MARGINS[loss];
    const there = relevance.includes(1) && relevance.includes(0);
    const values = { scores: own, relevance, value: null, lead: null, rank: null, push: own.map(() => 0), felt: 0 };
    if (there) {
      const { lead, gradient, rank } = leadOf(own, relevance, loss, tau), value = Math.max(0, margin - lead);
      Object.assign(values, { lead, rank, value: value > ZERO ? value : 0 });
      if (value > ZERO) values.push = gradient;
      values.felt = felt(values.push);
    }
    pushRows(plot, { width, scores: own, relevance, push: values.push, items: handles(n) });
    choose(loss);
    showTau(tau);

    const unit = loss === "score" ? "of score" : "places";
    if (!there) [lossTile, leadTile, rankTile].forEach((tile) => tile.show(null, "needs an answer and a rival"));
    else {
      lossTile.show(fixed(values.value, 2), values.value ? `${unit}, not satisfied` : "satisfied", Math.min(1, values.value / margin));
      leadTile.show(fixed(values.lead, 2), `${unit}; the margin is ${margin}`);
      rankTile.show(String(values.rank), values.rank === 1 ? "it is found first" : "not found first");
    }
    feltTile.show(`${values.felt} of ${n}`, "at 5 % or more of the hardest push");
    const summary = there
      ? `The answer has rank ${values.rank}, leads by ${fixed(values.lead, 2)} ${unit} of ${margin}; loss ${fixed(values.value, 2)}; ${values.felt} captions feel it`
      : "Without an answer and a rival there is no loss";
    return { values, summary };
  };
}

export default figure({
  label: "Margins of a triplet, in scores and in places", traits: ["scores", "relevance", "loss", "tau"],
  legend: [["rb-dot rb-relevant", "the caption of the image"], ["rb-dot rb-irrelevant", "captions of others"]],
  hint: "Drag the answer to the far right.",
  build,
});
