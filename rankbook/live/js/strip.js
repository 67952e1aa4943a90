// What figures with items on a score axis share: their names, and rows for items that would overlap.

export const LANE = 36; // height of one row of items

export const letter = (i) => String.fromCharCode(65 + i);

// Neighbors that would overlap go one row up. The item in hand is placed last: it leaps over the others, which stay put.
export function lanes(scores, x, active) {
  const order = scores.map((_, i) => i).sort((a, b) => (a === active) - (b === active) || scores[a] - scores[b]);
  const lane = [];
  order.forEach((i, placed) => {
    const near = order.slice(0, placed).filter((j) => Math.abs(x(scores[j]) - x(scores[i])) < LANE - 2);
    lane[i] = 0;
    while (near.some((j) => lane[j] === lane[i])) lane[i]++;
  });
  return lane;
}
