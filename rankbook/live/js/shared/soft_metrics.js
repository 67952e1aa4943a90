// Four metrics of sigmoid ranks, and their gradients with respect to the scores.
import { sigmoid, sigmoidRankJacobian, sigmoidRanks, sigmoidSlope } from "../core/math.js";
import { averagePrecision, dcg, gain, positives, recallAtK, worstOrder } from "./metrics.js";

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
  return OF_RANKS[metric](worstOrder(scores, relevance), relevance).value;
}

// RS@k at one k: 1 - recall with sigmoid ranks and a sigmoid cut, its gradient, and how far each positive counts as inside.
export function softRecallLoss(scores, relevance, k, tauScore, tauRank) {
  const found = positives(relevance), ranks = sigmoidRanks(scores, tauScore), jacobian = sigmoidRankJacobian(scores, tauScore);
  const inside = ranks.map((r, i) => (relevance[i] > 0 ? sigmoid((k - r) / tauRank) : 0));
  const most = Math.min(k, found.length), sum = inside.reduce((total, one) => total + one, 0);
  const slopes = ranks.map((r, i) => (relevance[i] > 0 && sum <= most ? sigmoidSlope((k - r) / tauRank) / tauRank / most : 0));
  const gradient = scores.map((_, j) => slopes.reduce((total, slope, i) => total + slope * jacobian[i][j], 0));
  return { loss: 1 - Math.min(sum, most) / most, gradient, ranks, inside };
}
