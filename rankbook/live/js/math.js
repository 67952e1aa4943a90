// The mathematics of the live figures: pure functions on plain arrays, no page in sight.
// tests/live/test_math.py runs this very file and holds it to torch autograd in float64, to 1e-12.

// Two branches, so that no exponential overflows.
export function sigmoid(x) {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

// sigma(x) sigma(-x), not g (1 - g): the latter rounds to zero from x = 37 on, and would bend every log plot.
export const sigmoidSlope = (x) => sigmoid(x) * sigmoid(-x);

// The rank of an item is the number of items whose score is at least its own: descending, from 1, ties earn the worst rank.
export const exactRanks = (scores) => scores.map((s) => scores.filter((other) => other >= s).length);

// r_i = 1 + sum over j != i of sigma((s_j - s_i) / tau)
export const sigmoidRanks = (scores, tau) =>
  scores.map((s, i) => scores.reduce((rank, other, j) => (j === i ? rank : rank + sigmoid((other - s) / tau)), 1));

// Row i holds d r_i / d s_k for all k. Rows sum to zero: a common shift of the scores changes no rank.
export function sigmoidRankJacobian(scores, tau) {
  return scores.map((s, i) => {
    const row = scores.map((other, k) => (k === i ? 0 : sigmoidSlope((other - s) / tau) / tau));
    row[i] = -row.reduce((sum, value) => sum + value, 0);
    return row;
  });
}

const positives = (relevance) => relevance.flatMap((rel, i) => (rel > 0 ? [i] : []));

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

export function recallAtK(scores, relevance, k, rankFn = exactRanks) {
  const ranks = rankFn(scores);
  const found = positives(relevance);
  return found.length ? found.filter((i) => ranks[i] <= k).length / found.length : null;
}

const gain = (rel) => 2 ** rel - 1;

export function dcg(ranks, relevance) {
  return relevance.reduce((sum, rel, i) => sum + gain(rel) / Math.log2(1 + ranks[i]), 0);
}

export function ndcg(scores, relevance, rankFn = exactRanks) {
  const best = [...relevance].sort((a, b) => b - a);
  const ideal = dcg(best.map((_, i) => i + 1), best);
  return ideal > 0 ? dcg(rankFn(scores), relevance) / ideal : null;
}

// Smooth-AP: 1 - AP of the sigmoid ranks, and its gradient by the quotient rule.
export function smoothAPLoss(scores, relevance, tau) {
  const found = positives(relevance);
  const among = found.map((i) => scores[i]);
  const ranks = sigmoidRanks(scores, tau);
  const ranksAmong = sigmoidRanks(among, tau);
  const rows = sigmoidRankJacobian(scores, tau);
  const rowsAmong = sigmoidRankJacobian(among, tau);
  const gradient = scores.map(() => 0);
  let loss = 1;
  found.forEach((i, p) => {
    const weight = 1 / found.length / ranks[i];
    const precision = ranksAmong[p] / ranks[i];
    loss -= precision / found.length;
    found.forEach((k, q) => { gradient[k] -= weight * rowsAmong[p][q]; });
    scores.forEach((_, k) => { gradient[k] += weight * precision * rows[i][k]; });
  });
  return { loss, gradient };
}

// SupRank's step: the sigmoid behind, half a rank more from the tie on, a line of slope rho beyond delta. Never below H.
export function supStep(x, tau, rho, delta) {
  if (x < 0) return sigmoid(x / tau);
  return 0.5 + sigmoid(Math.min(x, delta) / tau) + rho * Math.max(0, x - delta);
}

export const supStepSlope = (x, tau, rho, delta) => (x > delta ? rho : sigmoidSlope(x / tau) / tau);

// Less relevant items count by supStep, the others (and the item itself) by H.
export const supRanks = (scores, relevance, tau, rho, delta) =>
  scores.map((s, k) =>
    scores.reduce((rank, other, j) => rank + (relevance[j] < relevance[k] ? supStep(other - s, tau, rho, delta) : Number(other >= s)), 0));

export const supRankJacobian = (scores, relevance, tau, rho, delta) =>
  scores.map((s, k) => {
    const row = scores.map((other, j) => (relevance[j] < relevance[k] ? supStepSlope(other - s, tau, rho, delta) : 0));
    row[k] = -row.reduce((sum, value) => sum + value, 0);
    return row;
  });

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

// A metric of given ranks, and its derivative with respect to each rank; AP, which also reads ranks among the positives, is apart.
const OF_RANKS = {
  NDCG(ranks, relevance) {
    const ideal = dcg([...relevance].sort((a, b) => b - a).map((_, i) => i + 1), [...relevance].sort((a, b) => b - a));
    return { value: dcg(ranks, relevance) / ideal, slopes: ranks.map((r, i) => (-gain(relevance[i]) * Math.LN2) / ((1 + r) * Math.log(1 + r) ** 2 * ideal)) };
  },
  RR(ranks, relevance) {
    const best = Math.min(...positives(relevance).map((i) => ranks[i]));
    const first = positives(relevance).filter((i) => ranks[i] === best);
    return { value: 1 / best, slopes: ranks.map((_, i) => (first.includes(i) ? -1 / (best * best * first.length) : 0)) };
  },
  "R@3"(ranks, relevance) {
    const count = positives(relevance).length;
    const cut = ranks.map((r, i) => (relevance[i] > 0 ? 3 - r : -Infinity));
    return { value: cut.reduce((sum, c) => sum + sigmoid(c), 0) / count, slopes: cut.map((c) => (c > -Infinity ? -sigmoidSlope(c) / count : 0)) };
  },
};

// A metric with sigmoid ranks and its gradient with respect to the scores. "R@3" has the sigmoid cut, tau_rank = 1.
export function softMetric(metric, scores, relevance, tau) {
  if (!positives(relevance).length) return { value: null, gradient: scores.map(() => 0) };
  if (metric === "AP") {
    const { loss, gradient } = smoothAPLoss(scores, relevance, tau);
    return { value: 1 - loss, gradient: gradient.map((g) => -g) };
  }
  const { value, slopes } = OF_RANKS[metric](sigmoidRanks(scores, tau), relevance);
  const jacobian = sigmoidRankJacobian(scores, tau);
  return { value, gradient: scores.map((_, k) => slopes.reduce((sum, slope, i) => sum + slope * jacobian[i][k], 0)) };
}

export function exactMetric(metric, scores, relevance) {
  if (!positives(relevance).length) return null;
  if (metric === "AP") return averagePrecision(scores, relevance);
  if (metric === "R@3") return recallAtK(scores, relevance, 3);
  return OF_RANKS[metric](exactRanks(scores), relevance).value;
}
