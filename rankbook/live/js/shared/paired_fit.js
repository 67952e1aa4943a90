// Two features of small depth pictures, linear in the means of 3 x 3 blocks: learned from the poses of simulated ones, and from pairs.

// As in pose_pairs.py.
export const SIDE = 15;
export const POSES = 12;
const BLOCK = 5, LEVELS = 180, RIDGE = 1e-4;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const minus = (a, b) => a.map((value, k) => value - b[k]);
const means = (rows) => rows[0].map((_, k) => mean(rows.map((row) => row[k])));
const square = (row) => row.reduce((sum, value) => sum + value * value, 0);
const meanSquare = (rows) => mean(rows.map(square));

// Depths of each picture, simulated, their twins, then new real ones; and the inputs of each.
export function decoded(pictures) {
  const bytes = Uint8Array.from(atob(pictures), (letter) => letter.charCodeAt(0)), area = SIDE * SIDE, n = SIDE / BLOCK;
  const depths = Array.from({ length: bytes.length / area }, (_, i) => Array.from(bytes.subarray(i * area, (i + 1) * area), (byte) => byte / LEVELS));
  const inputs = depths.map((depth) => Array.from({ length: n * n }, (_, k) => {
    const left = BLOCK * (k % n), top = BLOCK * Math.floor(k / n);
    return mean(Array.from({ length: BLOCK * BLOCK }, (_, p) => depth[(top + Math.floor(p / BLOCK)) * SIDE + left + (p % BLOCK)]));
  }));
  return { depths, inputs };
}

// X of A X = B by elimination; A is symmetric and positive.
function solved(a, b) {
  const rows = a.map((row, i) => [...row, ...b[i]]), n = a.length;
  rows.forEach((pivot, i) => rows.forEach((row, j) => {
    if (i === j) return;
    const share = row[i] / pivot[i];
    for (let k = i; k < row.length; k++) row[k] -= share * pivot[k];
  }));
  return rows.map((row, i) => row.slice(n).map((value) => value / row[i]));
}

const products = (one, other) => one[0].map((_, i) => other[0].map((_, j) => mean(one.map((row, k) => row[i] * other[k][j]))));
const mapped = (rows, map) => rows.map((row) => map[0].map((_, j) => row.reduce((sum, value, i) => sum + value * map[i][j], 0)));

// The features of all pictures [36][2] and what they are worth. `task` 0 leaves the pairs alone.
export function paired(inputs, poses, { weight, size, task }) {
  const center = means(inputs.slice(0, POSES)), x = inputs.map((row) => minus(row, center)), known = x.slice(0, POSES);
  const y = Array.from({ length: 2 * POSES }, (_, i) => poses.slice(2 * i, 2 * i + 2)), middle = means(y.slice(0, POSES));
  const gaps = known.map((row, i) => minus(row, x[POSES + i])), of = products(known, known), off = products(gaps, gaps);
  const a = of.map((row, i) => row.map((value, j) => task * value + weight * off[i][j] + (i === j ? RIDGE : 0)));
  const map = solved(a, products(known, y.slice(0, POSES).map((row) => minus(row, middle).map((value) => task * value))));
  const features = mapped(x, map).map((row) => row.map((value) => size * value));
  const error = (rows, truth) => mean(rows.map((row, i) => Math.sqrt(square(row.map((value, k) => value / size + middle[k] - truth[i][k])))));
  const apart = meanSquare(features.slice(0, POSES).map((row, i) => minus(row, features[POSES + i]))), spread = 2 * meanSquare(features.slice(0, POSES));
  return {
    features, apart, share: spread ? apart / spread : null,
    error_simulated: error(features.slice(0, POSES), y), error_new: error(features.slice(2 * POSES), y.slice(POSES)),
  };
}
