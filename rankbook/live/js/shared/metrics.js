// Ranking metrics of exact ranks. AP and H-AP give tied items the last of their places; the others are worth their worst order.
// Without a positive they are undefined: null.
import { exactRanks } from "../core/math.js";
import { tally, tieGroups } from "./ties.js";

// Places from 1, the less relevant first within a tie.
export function worstOrder(scores, relevance) {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || relevance[a] - relevance[b] || a - b);
  const ranks = [];
  order.forEach((i, place) => { ranks[i] = place + 1; });
  return ranks;
}

export const positives = (relevance) => relevance.flatMap((rel, i) => (rel > 0 ? [i] : []));

// The terms of AP, one for each positive: its rank among the positives, over its rank among all.
export function precisionTerms(scores, relevance, rankFn = exactRanks) {
  const found = positives(relevance);
  const among = rankFn(found.map((i) => scores[i]));
  const ranks = rankFn(scores);
  return found.map((i, p) => ({ item: i, among: among[p], rank: ranks[i] }));
}

export function averagePrecision(scores, relevance, rankFn = exactRanks) {
  const terms = precisionTerms(scores, relevance, rankFn);
  return terms.length ? terms.reduce((sum, t) => sum + t.among / t.rank, 0) / terms.length : null;
}

// ---- places of the positives in the worst order, ascending ----
const places = (scores, relevance) => {
  const ranks = worstOrder(scores, relevance);
  return positives(relevance).map((i) => ranks[i]).sort((a, b) => a - b);
};
const ofPlaces = (value) => (scores, relevance, k) => {
  const found = places(scores, relevance);
  return found.length ? value(found, k) : null;
};
const within = (found, k) => found.filter((place) => place <= k).length;

export const recallAtK = ofPlaces((found, k) => within(found, k) / found.length);
export const hitAtK = ofPlaces((found, k) => Number(found[0] <= k));
export const precisionAtK = ofPlaces((found, k) => within(found, k) / k);
export const reciprocalRank = ofPlaces((found) => 1 / found[0]);
export const mapAtR = ofPlaces((found) => found.reduce((sum, place, p) => (place <= found.length ? sum + (p + 1) / place : sum), 0) / found.length);
export const rPrecision = ofPlaces((found) => within(found, found.length) / found.length);
// `cuts` are several k; each recall is divided by the most that it can reach.
export const cappedRecall = ofPlaces((found, cuts) => cuts.reduce((sum, k) => sum + within(found, k) / Math.min(k, found.length), 0) / cuts.length);

// ---- graded relevance ----
export const gain = (rel) => 2 ** rel - 1;
const discounted = (ranks, gains, k = Infinity) => gains.reduce((sum, g, i) => (ranks[i] <= k ? sum + g / Math.log2(1 + ranks[i]) : sum), 0);
const largest = (values) => values.reduce((top, value) => Math.max(top, value), 0);

export const dcg = (ranks, relevance) => discounted(ranks, relevance.map(gain));

// Gains as shares of 2^m for the largest grade m, so that none overflows; 2^rel (1 - 2^-rel) keeps the digits of a tiny one.
function scaledGains(relevance) {
  const top = largest(relevance);
  return relevance.map((rel) => (rel < 1 ? 2 ** (rel - top) * -Math.expm1(-Math.LN2 * rel) : 2 ** (rel - top) - 2 ** -top));
}

export function ndcg(scores, relevance, k) {
  if (!positives(relevance).length) return null;
  const gains = scaledGains(relevance), best = [...gains].sort((a, b) => b - a);
  return discounted(worstOrder(scores, relevance), gains, k) / discounted(best.map((_, i) => i + 1), best, k);
}

// The relevance of H-AP: level l weighs (l / deepest)^alpha in all, shared evenly by the items at exactly that level.
export function hierarchicalRelevance(levels, alpha) {
  const deepest = Math.max(1, ...levels);
  return levels.map((level) => (level ? (level / deepest) ** alpha / levels.filter((other) => other === level).length : 0));
}

// The terms of H-AP, one for each relevant item: the relevance that it shares with those above it (and itself), and its rank.
// The items at or above it that are no more relevant share their own, the others share its own.
export function hierarchicalTerms(scores, relevance) {
  const n = scores.length, grades = exactRanks(relevance), ranks = exactRanks(scores), counts = tally(n), sums = tally(n), hrank = [];
  let seen = 0;
  tieGroups(scores).map((group) => group.filter((i) => relevance[i] > 0)).forEach((group) => {
    for (const i of group) {
      counts.add(n + 1 - grades[i], 1);
      sums.add(n + 1 - grades[i], relevance[i]);
    }
    seen += group.length;
    for (const i of group) hrank[i] = sums.upTo(n + 1 - grades[i]) + relevance[i] * (seen - counts.upTo(n + 1 - grades[i]));
  });
  return positives(relevance).map((k) => ({ item: k, rank: ranks[k], hrank: hrank[k] }));
}

// Only ratios of the grades matter: as shares of the largest no sum of them overflows.
export function hierarchicalAP(scores, relevance) {
  const top = largest(relevance), shares = relevance.map((rel) => rel / top), total = shares.reduce((sum, share) => sum + share, 0);
  return top > 0 ? hierarchicalTerms(scores, shares).reduce((sum, t) => sum + t.hrank / t.rank, 0) / total : null;
}
