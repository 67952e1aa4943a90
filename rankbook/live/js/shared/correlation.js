// Rank correlation of scores with a target. Ties as in scipy: Spearman averages them, Kendall is tau-b. Undefined on a constant: null.
import { exactRanks } from "../core/math.js";
import { tally, tiedPairs, tieGroups } from "./ties.js";

function averageRanks(values) {
  const ranks = [];
  let before = 0;
  tieGroups(values).forEach((group) => {
    group.forEach((i) => { ranks[i] = before + (group.length + 1) / 2; });
    before += group.length;
  });
  return ranks;
}

const constant = (values) => values.every((value) => value === values[0]);

export function spearman(scores, target) {
  if (constant(scores) || constant(target)) return null;
  const middle = (scores.length + 1) / 2;
  const ours = averageRanks(scores), theirs = averageRanks(target);
  let both = 0, our = 0, their = 0;
  ours.forEach((rank, i) => {
    const x = rank - middle, y = theirs[i] - middle;
    both += x * y;
    our += x * x;
    their += y * y;
  });
  return both / Math.sqrt(our) / Math.sqrt(their);
}

export function kendall(scores, target) {
  if (constant(scores) || constant(target)) return null;
  const n = scores.length, pairs = (n * (n - 1)) / 2, place = exactRanks(target), seen = tally(n);
  let agree = 0, count = 0;
  tieGroups(scores).forEach((group) => {
    for (const i of group) {
      const higher = seen.upTo(place[i] - 1);  // of a higher score and a higher target
      agree += higher - (count - seen.upTo(place[i]));
    }
    group.forEach((i) => seen.add(place[i], 1));
    count += group.length;
  });
  const differ = pairs - tiedPairs(scores);
  return (agree / differ) * Math.sqrt(differ / (pairs - tiedPairs(target)));
}
