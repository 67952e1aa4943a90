// Seven metrics of one list, from the places of its relevant items; and what becomes of them if tied items may stand in any order.
import { averagePrecision, dcg, positives, worstOrder } from "./metrics.js";

const sum = (values) => values.reduce((total, value) => total + value, 0);

export const SEVEN = ["precision_at_k", "recall_at_k", "hit_at_k", "reciprocal_rank", "average_precision", "map_at_r", "ndcg"];

// `places` of the relevant items, the best first, no two alike.
export function ofPlaces(places, k) {
  const R = places.length, found = places.filter((place) => place <= k).length;
  const precisions = places.map((place, i) => (i + 1) / place), alike = places.map(() => 1);
  return {
    precision_at_k: found / k,
    recall_at_k: found / R,
    hit_at_k: Number(found > 0),
    reciprocal_rank: 1 / places[0],
    average_precision: sum(precisions) / R,
    map_at_r: sum(precisions.filter((_, i) => places[i] <= R)) / R,
    ndcg: dcg(places, alike) / dcg(places.map((_, i) => i + 1), alike),
  };
}

// As rankbook returns them: AP gives tied items the last of their places, the others are worth their worst order.
export function measured(scores, relevance, k) {
  const found = positives(relevance), ranks = worstOrder(scores, relevance);
  if (!found.length) return null;
  const places = found.map((i) => ranks[i]).sort((a, b) => a - b);
  return { ...ofPlaces(places, k), average_precision: averagePrecision(scores, relevance) };
}

function subsets(n, m, from = 1) {
  if (!m) return [[]];
  return Array.from({ length: n - m - from + 2 }, (_, i) => from + i)
    .flatMap((first) => subsets(n, m - 1, first + 1).map((rest) => [first, ...rest]));
}

// The places of the relevant items in all orders of the tied ones that a metric can tell apart, each as likely as the others.
export function tieOrders(scores, relevance) {
  let orders = [[]], start = 0;
  [...new Set(scores)].sort((a, b) => b - a).forEach((score) => {
    const tied = relevance.filter((_, i) => scores[i] === score);
    const picks = subsets(tied.length, positives(tied).length);
    orders = orders.flatMap((places) => picks.map((pick) => [...places, ...pick.map((place) => start + place)]));
    start += tied.length;
  });
  return orders;
}

// Scores in steps, as whole numbers: half a step goes up.
export const inSteps = (scores, step) => (step ? scores.map((s) => Math.floor(s / step + 0.5)) : scores);
