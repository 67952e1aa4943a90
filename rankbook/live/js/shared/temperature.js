// What a temperature of the sigmoid would do to a reader's scores: which pairs it reaches, and how wrong its ranks are.
import { DEAD } from "../core/marks.js";
import { exactRanks, sigmoidRanks, sigmoidSlope } from "../core/math.js";

const THINNED = 100;   // items of a list on which the error of the ranks is measured, and
const PAIRS = 250000;  // pairs of items of all such lists
const WIDEST = 1e100;  // the squares of scores farther apart overflow
// The chapter on smooth ranks, in standard deviations of the scores: where to start, and between what its tuning hardly moved.
const START = 0.5;
export const STEADY = [0.26, 0.87];

const descending = (values) => [...values].sort((a, b) => b - a);

// The scores of the relevant and of the irrelevant items of each list, from the highest down.
export const splitLists = (lists) => lists.map(({ scores, relevance }) => ({
  good: descending(scores.filter((_, i) => relevance[i] > 0)), bad: descending(scores.filter((_, i) => !(relevance[i] > 0))),
}));

// Pairs of a relevant and an irrelevant item: all, those in the wrong order (a tie is one), and of each those at most `reach` apart.
export function countPairs(split, reach) {
  const count = { pairs: 0, near: 0, wrong: 0, wrongNear: 0 };
  for (const { good, bad } of split) {
    let far = 0, wrong = 0, near = 0;  // irrelevant ones more than `reach` above, at or above, down to `reach` below
    for (const score of good) {
      while (far < bad.length && bad[far] - score > reach) far++;
      while (wrong < bad.length && bad[wrong] >= score) wrong++;
      while (near < bad.length && score - bad[near] <= reach) near++;
      count.pairs += bad.length;
      count.wrong += wrong;
      count.near += Math.max(0, near - far);
      count.wrongNear += Math.max(0, wrong - far);
    }
  }
  return count;
}

// The gap up to which a pair is not dead, found by halving; negative if all are.
export function liveGap(tau) {
  const alive = (x) => sigmoidSlope(x) / tau >= DEAD;
  if (!alive(0)) return -1;
  let low = 0, high = 800;
  for (let step = 0; step < 100; step++) {
    const x = (low + high) / 2;
    if (alive(x)) low = x;
    else high = x;
  }
  return tau * low;
}

// The standard deviation of the scores within their lists.
export function spreadOf(lists) {
  let squares = 0, items = 0;
  for (const { scores } of lists) {
    const mean = scores.reduce((sum, s) => sum + s, 0) / scores.length;
    squares += scores.reduce((sum, s) => sum + (s - mean) ** 2, 0);
    items += scores.length;
  }
  return Math.sqrt(squares / items);
}

// Every so many of the values.
const every = (values, most) =>
  (values.length <= most ? values : Array.from({ length: most }, (_, i) => values[Math.floor(((i + 0.5) * values.length) / most)]));

function sampleLists(lists) {
  const long = lists.filter(({ scores }) => scores.length > 1);
  const thinned = long.map(({ scores }) => (scores.length > THINNED ? every(descending(scores), THINNED) : scores));
  const pairs = thinned.reduce((sum, { length }) => sum + length ** 2, 0);
  return pairs > PAIRS ? every(thinned, Math.max(1, Math.floor((thinned.length * PAIRS) / pairs))) : thinned;
}

// The mean error of the sigmoid ranks, as a share of the list. Ties are averaged, as the sigmoid does.
export function rankError(sample, tau) {
  let error = 0, items = 0;
  for (const scores of sample) {
    const upper = exactRanks(scores), lower = exactRanks(scores.map((s) => -s)), n = scores.length;
    sigmoidRanks(scores, tau).forEach((rank, i) => { error += Math.abs(rank - (upper[i] + n + 1 - lower[i]) / 2) / n; });
    items += n;
  }
  return items ? error / items : 0;
}

// What the temperature section needs of the lists; `start` is 0 where no temperature tells the scores apart.
export function temperatureOf(lists) {
  const spread = spreadOf(lists), start = spread < WIDEST ? Number((START * spread).toPrecision(3)) : 0;
  return { spread, start, split: splitLists(lists), sample: sampleLists(lists) };
}
