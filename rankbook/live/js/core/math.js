// The mathematics that most live figures need: pure functions on plain arrays, no page in sight.
// tests/live/test_math.py runs this very file and those of ../shared, and holds them to torch autograd in float64, to 1e-12.

// Two branches, so that no exponential overflows.
export function sigmoid(x) {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

// sigma(x) sigma(-x), not g (1 - g): the latter rounds to zero from x = 37 on, and would bend every log plot.
export const sigmoidSlope = (x) => sigmoid(x) * sigmoid(-x);

// The rank of an item is the number of items whose score is at least its own: descending, from 1, ties earn the worst rank.
// By sorting, since a reader's own list may have ten thousand items: of equal scores the last place stays.
export function exactRanks(scores) {
  const places = new Map([...scores].sort((a, b) => b - a).map((s, p) => [s, p + 1]));
  return scores.map((s) => places.get(s));
}

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
