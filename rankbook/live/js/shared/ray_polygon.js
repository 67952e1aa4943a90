// A polygon whose corners stand on rays from the middle of its box, on a picture: its terms, their pulls along the rays, and its descent.
import { boxTerms, neighborPairs } from "./box_polygons.js";

// As in polygon_fit.py.
export const SIDE = 32;
export const LEAST = 0.5;
export const MOST = 16;
const TAU = 0.5, SIGMA = 0.1, DILATION = 2, TURN = Math.PI / 180, RATE = 0.25;

export const sum = (values) => values.reduce((total, value) => total + value, 0);

export function decoded(picture) {
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0)), colors = new Float64Array(3 * SIDE * SIDE), mask = [];
  for (let p = 0; p < SIDE * SIDE; p++) {
    for (let c = 0; c < 3; c++) colors[3 * p + c] = bytes[4 * p + c] / 255;
    mask.push(bytes[4 * p + 3] > 0);
  }
  return { colors, mask };
}

export const pairsOf = ({ colors }, box) => neighborPairs(colors, SIDE, box, SIGMA, DILATION);

export const rays = (n) => Array.from({ length: n }, (_, k) => TURN - Math.PI / 2 + (k * 2 * Math.PI) / n).map((angle) => [Math.cos(angle), Math.sin(angle)]);

export function computed({ radii, box, unary, local, region }, { colors, mask }, neighbors) {
  const ways = rays(radii.length), [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], weights = [unary, local, region];
  const corners = radii.map((r, k) => [x + r * ways[k][0], y + r * ways[k][1]]);
  const { soft, terms } = boxTerms(corners, colors, SIDE, box, neighbors, TAU);
  const pulls = terms.map(({ slope }, t) => slope.map(([dx, dy], k) => -weights[t] * (dx * ways[k][0] + dy * ways[k][1])));
  const either = sum(soft.map(({ inside }, p) => inside || mask[p])), both = sum(soft.map(({ inside }, p) => inside && mask[p]));
  return {
    corners, soft, pulls,
    values: {
      of_box: terms[0].value, of_neighbors: terms[1].value, of_regions: terms[2].value, loss: sum(terms.map(({ value }, t) => weights[t] * value)),
      box_pulls: pulls[0], neighbor_pulls: pulls[1], region_pulls: pulls[2], iou: either ? both / either : null,
    },
  };
}

// One step of Adam on the radii at each call.
export function descent({ radii, ...rest }, parts, pairs) {
  const first = radii.map(() => 0), second = radii.map(() => 0);
  let now = radii, step = 0;
  return () => {
    const { pulls } = computed({ radii: now, ...rest }, parts, pairs);
    step++;
    now = now.map((r, k) => {
      const pull = sum(pulls.map((of) => of[k]));
      first[k] = 0.9 * first[k] + 0.1 * pull;
      second[k] = 0.999 * second[k] + 0.001 * pull * pull;
      return Math.min(MOST, Math.max(LEAST, r + (RATE * first[k]) / (1 - 0.9 ** step) / (Math.sqrt(second[k] / (1 - 0.999 ** step)) + 1e-8)));
    });
    return now;
  };
}
