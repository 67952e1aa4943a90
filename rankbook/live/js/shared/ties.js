// Counting along a sorted list: groups of ties, and sums over all places up to one.

// The items of equal value, from the highest value down.
export function tieGroups(values) {
  const groups = [];
  values.map((_, i) => i).sort((a, b) => values[b] - values[a] || a - b).forEach((i) => {
    const group = groups[groups.length - 1];
    if (group && values[group[0]] === values[i]) group.push(i);
    else groups.push([i]);
  });
  return groups;
}

export const tiedPairs = (values) => tieGroups(values).reduce((sum, { length }) => sum + (length * (length - 1)) / 2, 0);

// A Fenwick tree: weights at places 1 to n, and the sum of those up to a place, each in O(log n).
export function tally(n) {
  const tree = new Float64Array(n + 1);
  return {
    add(place, weight) { for (let p = place; p <= n; p += p & -p) tree[p] += weight; },
    upTo(place) {
      let sum = 0;
      for (let p = place; p > 0; p -= p & -p) sum += tree[p];
      return sum;
    },
  };
}
