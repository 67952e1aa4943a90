// 1 - AP with each ranker in place of the exact ranks, as rb.as_loss(rb.average_precision, ranker) has it.
import { averagePrecision } from "./metrics.js";
import { RANKERS } from "./rankers.js";
import { supAPLoss } from "./suprank.js";
import { clamp } from "../core/elements.js";

export const SUP = { rho: 100, delta: 0.05 };  // the package's defaults
const LONGEST = 1000;   // items of a list: these rankers compare all pairs
const PAIRS = 1000000;  // of all lists together

// Soft ranks may err so far that a share exceeds 1; there the package cuts it off.
const lossOf = (ranker) => (scores, positive, tau) => 1 - clamp(averagePrecision(scores, positive, (s) => ranker(s, tau).ranks), 0, 1);

// [name, loss of (scores, relevance of 0 and 1, tau)]
export const LOSSES = [
  ...Object.entries(RANKERS).map(([name, ranker]) => [name, lossOf(ranker)]),
  ["SupRank", (scores, positive, tau) => supAPLoss(scores, positive, tau, SUP.rho, SUP.delta).loss],
];

// The lists that are short enough, the first ones that a page can wait for; all have a positive.
export function affordable(lists) {
  let pairs = 0;
  return lists.filter(({ scores: { length } }) => length <= LONGEST && (pairs += length ** 2) <= PAIRS);
}

export function* lossesOf(lists, tau) {
  const sums = LOSSES.map(() => 0);
  for (const { scores, relevance } of lists) {
    const positive = relevance.map((rel) => Number(rel > 0));
    for (const [r, [, loss]] of LOSSES.entries()) {
      sums[r] += loss(scores, positive, tau);
      yield;
    }
  }
  return LOSSES.map(([name], r) => ({ name, loss: lists.length ? sums[r] / lists.length : null }));
}
