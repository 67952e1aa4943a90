// Seven rankers in closed form: (scores, knob) -> { ranks, jacobian }, row i of the Jacobian holds d r_i / d s_k for all k.
// It is computed when it is asked for: a loss needs the ranks alone.
// tests/live/test_rankers.py holds them to rankbook and torch autograd in float64, to 1e-12.
import { exactRanks, sigmoid, sigmoidSlope } from "../core/math.js";

const zeros = (n) => Array.from({ length: n }, () => new Array(n).fill(0));
const sum = (values) => values.reduce((total, value) => total + value, 0);

function exact(scores) {
  return { ranks: exactRanks(scores), get jacobian() { return zeros(scores.length); } };
}

// r_i = 1 + sum over j != i of F((s_j - s_i) / knob): one formula, three distribution functions.
// `slope(i, j)` overrides F' where it jumps.
function kernelSum(scores, knob, cdf, slope) {
  const ranks = scores.map((s, i) => 1 + sum(scores.map((other, j) => (j === i ? 0 : cdf((other - s) / knob)))));
  const jacobian = () => scores.map((s, i) => {
    const row = scores.map((other, j) => (j === i ? 0 : slope((other - s) / knob, i, j) / knob));
    row[i] = -sum(row);
    return row;
  });
  return { ranks, get jacobian() { return jacobian(); } };
}

const laplaceCdf = (x) => (x <= 0 ? Math.exp(x) / 2 : 1 - Math.exp(-x) / 2);
const boxCdf = (x) => Math.min(1, Math.max(0, (1 + x) / 2));

// The items from the best down, and how far down the line each stands, in units, no gap longer than `cap`.
function onLine(scores, unit, cap) {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const place = [0];
  for (let p = 1; p < order.length; p++) place.push(place[p - 1] + Math.min((scores[order[p - 1]] - scores[order[p]]) / unit, cap));
  return { order, place };
}

function box(scores, width) {
  // Along the line, as the package does it: at a distance of exactly one width both must decide alike.
  const { order, place } = onLine(scores, width, 1);
  const at = [];
  order.forEach((item, p) => { at[item] = place[p]; });
  const near = (i, j) => Math.max(at[i], at[j]) < Math.min(at[i], at[j]) + 1;
  return kernelSum(scores, width, boxCdf, (_, i, j) => (near(i, j) ? 0.5 : 0));
}

// Back from the sorted items to the items; `sortedJacobian()` makes that of the sorted ones.
function toItems(order, sortedRanks, sortedJacobian) {
  const ranks = [];
  order.forEach((i, p) => { ranks[i] = sortedRanks[p]; });
  const jacobian = () => {
    const rows = zeros(order.length);
    sortedJacobian().forEach((row, p) => row.forEach((value, q) => { rows[order[p]][order[q]] = value; }));
    return rows;
  };
  return { ranks, get jacobian() { return jacobian(); } };
}

// A relaxed permutation matrix, softmax by rows (places); the rank of an item is the mean place of its column.
// `slope(p, j, a)` is the derivative of logit (p, j) with respect to the a-th best score.
function relaxed(order, logit, slope) {
  const n = order.length, all = order.map((_, p) => p);
  const matrix = all.map((p) => {
    const row = all.map((j) => logit(p, j));
    const top = Math.max(...row);
    const weights = row.map((value) => Math.exp(value - top));
    const total = sum(weights);
    return weights.map((weight) => weight / total);
  });
  const mass = all.map((j) => sum(all.map((p) => matrix[p][j])));
  const ranks = all.map((j) => sum(all.map((p) => (p + 1) * matrix[p][j])) / mass[j]);
  return toItems(order, ranks, () => {
    const jacobian = zeros(n);
    for (const p of all) for (const a of all) {
      const slopes = all.map((j) => slope(p, j, a));
      const mean = sum(all.map((j) => matrix[p][j] * slopes[j]));
      for (const j of all) jacobian[j][a] += ((p + 1 - ranks[j]) * matrix[p][j] * (slopes[j] - mean)) / mass[j];
    }
    return jacobian;
  });
}

function softsort(scores, tau) {
  const { order, place } = onLine(scores, tau, Infinity);
  return relaxed(order, (p, j) => -Math.abs(place[j] - place[p]),
    (p, j, a) => (Math.sign(place[j] - place[p]) * (Number(j === a) - Number(p === a))) / tau);
}

function neuralsort(scores, tau) {
  const { order, place } = onLine(scores, tau, Infinity);
  const climb = [0];
  for (let p = 1; p < order.length; p++) climb.push(climb[p - 1] + p * (place[p] - place[p - 1]));
  return relaxed(order, (p, j) => (2 * p + 1) * (place[j] - place[p]) - 2 * (climb[j] - climb[p]),
    (p, j, a) => (j === a ? 2 * (j - p) : Math.sign(a - j)) / tau);
}

// The l2 projection on the permutahedron: pool adjacent violators, then the mean of each block.
function projection(scores, tau) {
  const n = scores.length, strength = tau / n;
  const { order, place } = onLine(scores, strength, n);
  const totals = [], sizes = [];
  place.forEach((value, p) => {
    let total = value - (p + 1), size = 1;
    while (totals.length && totals[totals.length - 1] * size >= total * sizes[sizes.length - 1]) {
      total += totals.pop();
      size += sizes.pop();
    }
    totals.push(total);
    sizes.push(size);
  });
  const ranks = [], blocks = [];
  let first = 0;
  sizes.forEach((size) => {
    const block = Array.from({ length: size }, (_, k) => first + k);
    const middle = sum(block.map((p) => p + 1 - (place[p] - place[first]))) / size;
    for (const p of block) ranks[p] = middle + (place[p] - place[first]);
    blocks.push(block);
    first += size;
  });
  return toItems(order, ranks, () => {
    const jacobian = zeros(n);
    for (const block of blocks) if (block.length > 1) for (const p of block) for (const q of block) jacobian[p][q] = (1 / block.length - Number(p === q)) / strength;
    return jacobian;
  });
}

export const RANKERS = {
  exact,
  sigmoid: (scores, tau) => kernelSum(scores, tau, sigmoid, sigmoidSlope),
  laplace: (scores, tau) => kernelSum(scores, tau, laplaceCdf, (x) => Math.exp(-Math.abs(x)) / 2),
  box,
  projection,
  softsort,
  neuralsort,
};

// How far the Jacobian looks: the mean distance of two scores, weighted by their entry. Without an entry: null.
export function reach(scores, jacobian) {
  let weight = 0, distance = 0;
  jacobian.forEach((row, i) => row.forEach((value, k) => {
    if (k === i) return;
    weight += Math.abs(value);
    distance += Math.abs(value) * Math.abs(scores[i] - scores[k]);
  }));
  return weight > 0 ? distance / weight : null;
}
