// Ranking metrics of exact ranks. AP and H-AP give tied items the last of their places; the others are worth their worst order.
import { exactRanks } from "../core/math.js";

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

// Without a positive the three metrics are undefined: null.
export function averagePrecision(scores, relevance, rankFn = exactRanks) {
  const terms = precisionTerms(scores, relevance, rankFn);
  return terms.length ? terms.reduce((sum, t) => sum + t.among / t.rank, 0) / terms.length : null;
}

export function recallAtK(scores, relevance, k) {
  const ranks = worstOrder(scores, relevance), found = positives(relevance);
  return found.length ? found.filter((i) => ranks[i] <= k).length / found.length : null;
}

export const gain = (rel) => 2 ** rel - 1;

export function dcg(ranks, relevance) {
  return relevance.reduce((sum, rel, i) => sum + gain(rel) / Math.log2(1 + ranks[i]), 0);
}

export function ndcg(scores, relevance) {
  const best = [...relevance].sort((a, b) => b - a);
  const ideal = dcg(best.map((_, i) => i + 1), best);
  return ideal > 0 ? dcg(worstOrder(scores, relevance), relevance) / ideal : null;
}

// The relevance of H-AP: level l weighs (l / deepest)^alpha in all, shared evenly by the items at exactly that level.
export function hierarchicalRelevance(levels, alpha) {
  const deepest = Math.max(1, ...levels);
  return levels.map((level) => (level ? (level / deepest) ** alpha / levels.filter((other) => other === level).length : 0));
}

// The terms of H-AP, one for each relevant item: the relevance that it shares with those above it (and itself), and its rank.
export function hierarchicalTerms(scores, relevance) {
  const ranks = exactRanks(scores);
  return positives(relevance).map((k) => ({
    item: k, rank: ranks[k],
    hrank: scores.reduce((sum, s, j) => sum + (s >= scores[k] ? Math.min(relevance[j], relevance[k]) : 0), 0),
  }));
}

export function hierarchicalAP(scores, relevance) {
  const total = relevance.reduce((sum, rel) => sum + rel, 0);
  return total > 0 ? hierarchicalTerms(scores, relevance).reduce((sum, t) => sum + t.hrank / t.rank, 0) / total : null;
}
