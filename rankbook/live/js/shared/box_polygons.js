// The three terms of rankbook.polygon_box_terms and their gradients at the corners, for one picture of colors from 0 to 1.
import { sigmoid } from "../core/math.js";

const STEPS = [[0, 1], [1, 0], [1, 1], [1, -1]];  // down and right, to four of the eight neighbors; the others are the same pairs

// What is inside of a polygon, from 0 to 1, and for each pixel its nearest edge, the place on it, and d U / d (squared distance).
export function softInside(corners, side, tau) {
  const n = corners.length, found = [];
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      let square = Infinity, turns = 0, edge = 0, share = 0, off = [0, 0];
      for (let k = 0; k < n; k++) {
        const [ax, ay] = corners[k], [bx, by] = corners[(k + 1) % n], ex = bx - ax, ey = by - ay, px = j + 0.5 - ax, py = i + 0.5 - ay;
        const along = Math.min(1, Math.max(0, (px * ex + py * ey) / Math.max(ex * ex + ey * ey, Number.MIN_VALUE)));
        const dx = px - along * ex, dy = py - along * ey, here = dx * dx + dy * dy;
        if (here < square) [square, edge, share, off] = [here, k, along, [dx, dy]];
        const left = ex * py - ey * px, above = ay <= i + 0.5, next = by <= i + 0.5;
        if (above && !next && left > 0) turns++;
        else if (!above && next && left < 0) turns--;
      }
      const sign = turns ? 1 : -1, u = sigmoid((sign * square) / tau);
      found.push({ u, inside: turns !== 0, edge, share, off, slope: (sign * u * sigmoid((-sign * square) / tau)) / tau });
    }
  }
  return found;
}

// 1 - CIoU of the box around the corners and a box; the weight of its last part is a constant to the gradient, as in the package.
function unary(corners, [L, T, R, B]) {
  const xs = corners.map(([x]) => x), ys = corners.map(([, y]) => y), [l, t, r, b] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  const w = r - l, h = b - t, W = R - L, H = B - T, more = (a, c) => (a > c ? 1 : a === c ? 0.5 : 0);
  const bw = Math.min(r, R) - Math.max(l, L), bh = Math.min(b, B) - Math.max(t, T), both = Math.max(0, bw) * Math.max(0, bh), union = w * h + W * H - both;
  const ax = (l + r - L - R) / 2, ay = (t + b - T - B) / 2, cw = Math.max(r, R) - Math.min(l, L), ch = Math.max(b, B) - Math.min(t, T), c2 = cw * cw + ch * ch, d2 = ax * ax + ay * ay;
  const angle = Math.atan2(w, h) - Math.atan2(W, H), shape = (4 / Math.PI ** 2) * angle * angle, iou = both / union;
  const weight = shape / Math.max(1 - iou + shape, Number.MIN_VALUE), turn = (weight * 8 * angle) / (Math.PI ** 2 * (w * w + h * h));
  // one side of the polygon's box: what it adds to the overlap, the area, the distance of the centers, the box around both, the angle
  const side = (overlap, area, apart, around, bent) =>
    -(overlap * (union + both) - both * area) / union ** 2 + (apart * c2 - 2 * d2 * around) / c2 ** 2 + turn * bent;
  const wide = bw >= 0 ? Math.max(0, bh) : 0, high = bh >= 0 ? Math.max(0, bw) : 0;
  const at = [
    side(-wide * more(l, L), -h, ax, -cw * more(L, l), -h), side(-high * more(t, T), -w, ay, -ch * more(T, t), w),
    side(wide * more(R, r), h, ax, cw * more(r, R), h), side(high * more(B, b), w, ay, ch * more(b, B), -w),
  ];
  const count = (values, end) => values.filter((value) => value === end).length;
  const slope = corners.map(([x, y]) => [
    (x === l ? at[0] / count(xs, l) : 0) + (x === r ? at[2] / count(xs, r) : 0),
    (y === t ? at[1] / count(ys, t) : 0) + (y === b ? at[3] / count(ys, b) : 0),
  ]);
  return { value: 1 - iou + d2 / c2 + weight * shape, slope };
}

// Pairs of neighbors with their weights: they depend on the picture and the box alone.
export function neighborPairs(colors, side, [left, top, right, bottom], sigma, dilation) {
  const pairs = [], within = (i, j) => (j + 0.5 >= left && j + 0.5 <= right && i + 0.5 >= top && i + 0.5 <= bottom ? 1 : 0);
  for (const [down, across] of STEPS) {
    for (let i = 0; i + down * dilation < side; i++) {
      for (let j = Math.max(0, -across * dilation); j + Math.max(0, across) * dilation < side; j++) {
        const p = i * side + j, m = i + down * dilation, k = j + across * dilation, q = m * side + k, times = within(i, j) + within(m, k);
        if (times) pairs.push([p, q, times * Math.exp(-Math.hypot(...[0, 1, 2].map((c) => colors[3 * p + c] - colors[3 * q + c])) / sigma)]);
      }
    }
  }
  return { pairs, total: pairs.reduce((sum, [, , weight]) => sum + weight, 0) || Number.MIN_VALUE };
}

function local(soft, { pairs, total }) {
  const slope = Array(soft.length).fill(0);
  let value = 0;
  for (const [p, q, weight] of pairs) {
    const gap = soft[p].u - soft[q].u, push = (weight * Math.sign(gap)) / total;
    value += (weight * Math.abs(gap)) / total;
    slope[p] += push;
    slope[q] -= push;
  }
  return { value, slope };
}

function region(soft, colors) {
  const slope = Array(soft.length).fill(0);
  let value = 0;
  for (const sign of [1, -1]) {
    const share = soft.map(({ u }) => (sign > 0 ? u : 1 - u)), mass = Math.max(share.reduce((sum, s) => sum + s, 0), Number.MIN_VALUE);
    const mean = [0, 1, 2].map((c) => share.reduce((sum, s, p) => sum + s * colors[3 * p + c], 0) / mass);
    share.forEach((s, p) => {
      const far = mean.reduce((sum, m, c) => sum + (colors[3 * p + c] - m) ** 2, 0) / colors.length;
      value += far * s;
      slope[p] += sign * far;  // the means are the best ones, so that they add nothing
    });
  }
  return { value, slope };
}

// From the pixels to the corners: each pixel moves the two ends of its nearest edge.
function atCorners(soft, slope, n) {
  const found = Array.from({ length: n }, () => [0, 0]);
  soft.forEach((pixel, p) => {
    const pull = -2 * slope[p] * pixel.slope;
    [[pixel.edge, 1 - pixel.share], [(pixel.edge + 1) % n, pixel.share]].forEach(([k, part]) => {
      found[k][0] += pull * part * pixel.off[0];
      found[k][1] += pull * part * pixel.off[1];
    });
  });
  return found;
}

// Values of the box, the neighbors and the regions, and their gradients [corner][x, y].
export function boxTerms(corners, colors, side, box, neighbors, tau) {
  const soft = softInside(corners, side, tau), ofPixels = [local(soft, neighbors), region(soft, colors)];
  return { soft, terms: [unary(corners, box), ...ofPixels.map(({ value, slope }) => ({ value, slope: atCorners(soft, slope, corners.length) }))] };
}
