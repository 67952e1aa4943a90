// The decomposability gap of AP: the bounds of rankbook.gap, and the AP that a batch is expected to have.

// sum over j = 1..p of (a + j) / (a + j + m), behind a positives and m negatives
function precisions(a, m, p) {
  let sum = 0;
  for (let j = 1; j <= p; j++) sum += (a + j) / (a + j + m);
  return sum;
}

const total = (counts) => counts.reduce((sum, count) => sum + count, 0);

// The sum of precisions if the batches stand end to end as they come.
function stacked(p, n, a, m) {
  let sum = 0;
  p.forEach((count, b) => {
    sum += precisions(a, m, count);
    [a, m] = [a + count, m + n[b]];
  });
  return sum;
}

// By the sets of batches: whatever the order within a set, the next batch has the same before it.
function lowestOfAllOrders(p, n, a, m) {
  const of = (counts, set) => counts.reduce((sum, count, b) => (set >> b & 1 ? sum + count : sum), 0);
  const lowest = [0];
  for (let set = 1; set < 1 << p.length; set++) {
    lowest[set] = Infinity;
    p.forEach((count, b) => {
      if (!(set >> b & 1)) return;
      const before = set ^ (1 << b);
      lowest[set] = Math.min(lowest[set], lowest[before] + precisions(a + of(p, before), m + of(n, before), count));
    });
  }
  return lowest.at(-1);
}

// Behind a positives and m negatives. Batches of negatives alone come first, those of positives alone last. At most 8 hold both.
function lowestSum(p, n, a = 0, m = 0) {
  const both = p.map((_, b) => b).filter((b) => p[b] && n[b]), [mp, mn] = [p, n].map((counts) => both.map((b) => counts[b]));
  const last = precisions(a + total(mp), m + total(n), total(p.filter((_, b) => !n[b])));
  m += total(n.filter((_, b) => !p[b]));
  const fewest = stacked([...mp].sort((x, y) => x - y), [...mn].sort((x, y) => y - x), a, m);
  const order = mp.map((_, b) => b).sort((b, c) => mn[c] / mp[c] - mn[b] / mp[b]);
  const found = stacked(order.map((b) => mp[b]), order.map((b) => mn[b]), a, m);
  return last + (found > fewest ? lowestOfAllOrders(mp, mn, a, m) : fewest);
}

const bound = (p, sum) => Math.min(1, Math.max(0, 1 - sum / total(p)));

export const gapBound = (p, n) => bound(p, lowestSum(p, n));

export function calibratedGapBound(p, n, badP, badN) {
  const free = badP.map((count) => !count), low = badP.map((count, b) => count > 0 && !badN[b]);
  const of = (keep, counts) => counts.map((count, b) => (keep[b] ? count : 0));
  const goodP = p.map((count, b) => count - badP[b]), goodN = n.map((count, b) => count - badN[b]);
  const middle = free.map((is, b) => !is && !low[b]), above = of(free, badN), inMiddle = of(middle, badP);
  const before = total(goodP), standing = total(badN) + total(of(low.map((is) => !is), goodN));
  return bound(p, lowestSum(goodP, above)
    + lowestSum(inMiddle, of(middle, badN), before, total(above))
    + lowestSum(of(low, badP), of(low, goodN), before + total(inMiddle), standing));
}

// A share of all items, in whole items, over the batches in proportion to their sizes.
export function dealt(share, sizes) {
  const all = total(sizes), wanted = Math.floor(share * all + 0.5);
  let end = 0, given = 0;
  return sizes.map((size) => {
    end += size;
    const before = given;
    given = Math.floor((wanted * end) / Math.max(1, all));
    return given - before;
  });
}

// How likely j = 0, 1, ... of the marked items are among `kept`, drawn from `all`.
function hypergeometric(logs, all, marked, kept) {
  const choices = (n, k) => logs[n] - logs[k] - logs[n - k], ways = choices(all, kept);
  return Array.from({ length: kept + 1 }, (_, j) => (
    j > marked || kept - j > all - marked ? 0 : Math.exp(choices(marked, j) + choices(all - marked, kept - j) - ways)));
}

// The expected AP if p positives and n negatives are kept at random. `above` has the negatives above each positive, best first,
// and no two positives tie.
export function thinnedAP(above, negatives, p, n) {
  const logs = [0];
  for (let i = 1; i <= Math.max(negatives, above.length); i++) logs[i] = logs[i - 1] + Math.log(i);
  return total(above.map((count, k) => {
    const others = hypergeometric(logs, above.length - 1, k, p - 1), ahead = hypergeometric(logs, negatives, count, n);
    return total(others.map((chance, a) => chance && chance * ahead.reduce((sum, of, b) => sum + (of * (1 + a)) / (1 + a + b), 0)));
  })) / above.length;
}
