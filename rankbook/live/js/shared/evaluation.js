// All metrics over all lists, with what ties could make of them. The long work is a generator that yields between its steps, so
// that a page can rest in between; its return value is the result.
import { spearman, kendall } from "./correlation.js";
import { averagePrecision, cappedRecall, hierarchicalAP, hitAtK, mapAtR, ndcg, precisionAtK, rPrecision, recallAtK, reciprocalRank, worstOrder } from "./metrics.js";
import { tiedPairs } from "./ties.js";

// [name, value of (scores, relevance)]: all that rankbook.metrics has but DCG, which is NDCG in the unit of each list, four of them at each cutoff.
const metricsOf = (cutoffs) => [
  ["AP", averagePrecision],
  ["mAP@R", mapAtR],
  ["R-precision", rPrecision],
  ["RR", reciprocalRank],
  ["NDCG", ndcg],
  ["H-AP", hierarchicalAP],
  ["Spearman", spearman],
  ["Kendall", kendall],
  [`capped recall@${cutoffs.join(",")}`, (s, r) => cappedRecall(s, r, cutoffs)],
  ...[["recall", recallAtK], ["hit", hitAtK], ["precision", precisionAtK], ["NDCG", ndcg]]
    .flatMap(([name, of]) => cutoffs.map((k) => [`${name}@${k}`, (s, r) => of(s, r, k)])),
];

// Pairs of equal score; `mixed`: of equal score and unequal relevance, the only ones whose order matters.
function tiesOf({ scores, relevance }) {
  const pairs = tiedPairs(scores);
  if (!pairs) return { pairs, mixed: 0 };
  const ids = new Map(), id = (key) => ids.get(key) ?? ids.set(key, ids.size).get(key);
  return { pairs, mixed: pairs - tiedPairs(scores.map((s, i) => id(`${s} ${relevance[i]}`))) };
}

// Untied scores in the order that metrics like least, or best.
const untied = (scores, relevance, sign) => worstOrder(scores, relevance.map((rel) => sign * rel)).map((place) => -place);

const mean = (values) => {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
};

export function* evaluate(lists, cutoffs) {
  const hasPositive = ({ relevance }) => relevance.some((rel) => rel > 0);
  const metrics = metricsOf(cutoffs), withPositive = lists.filter(hasPositive);
  const values = metrics.map(() => ({ own: [], worst: [], best: [] }));
  const ties = [];
  for (const list of withPositive) {
    const { scores, relevance } = list, tied = tiesOf(list);
    ties.push(tied);
    const worst = tied.pairs && untied(scores, relevance, 1), best = tied.pairs && untied(scores, relevance, -1);
    for (const [m, [, of]] of metrics.entries()) {
      const own = of(scores, relevance);
      values[m].own.push(own);
      values[m].worst.push(tied.pairs ? of(worst, relevance) : own);
      values[m].best.push(tied.pairs ? of(best, relevance) : own);
      yield;
    }
  }
  const total = (of) => ties.reduce((sum, tied) => sum + of(tied), 0);
  return {
    lists: withPositive,
    left: lists.filter((list) => !hasPositive(list)).map(({ query }) => query),
    items: lists.reduce((sum, { scores }) => sum + scores.length, 0),
    ties: {
      lists: total(({ pairs }) => Number(pairs > 0)), pairs: total(({ pairs }) => pairs),
      mixedLists: total(({ mixed }) => Number(mixed > 0)), mixed: total(({ mixed }) => mixed),
    },
    metrics: metrics.map(([name], m) => {
      const { own, worst, best } = values[m];
      return { name, value: mean(own), worst: mean(worst), best: mean(best), counted: own.filter((value) => value !== null).length, each: own };
    }),
  };
}
