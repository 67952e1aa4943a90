// Unit vectors at whole degrees, and where a loss of their cosines pushes each along the circle.
import { BATCH_LOSSES } from "./batch_losses.js";
import { averagePrecision } from "./metrics.js";
import { hardest } from "./pushes.js";
import { between, radians } from "./on_circle.js";
import { DEAD } from "../core/marks.js";

const STEPS = 4, TURN = 5;  // of one press: so many steps, the hardest pushed so many degrees in each

// `forces` are minus the slopes of the loss by the angles; pullsOf(q) is what each item does to q, above 0 where it pulls.
export function pushed(angles, labels, loss, tau) {
  const scores = angles.map((a) => angles.map((b) => Math.cos(radians(between(a, b)))));
  const { value, slopes } = BATCH_LOSSES[loss](scores, labels, tau);
  const coupling = (i, j) => slopes[i][j] + slopes[j][i], turn = (i, j) => Math.sin(radians(angles[i]) - radians(angles[j]));
  const forces = angles.map((_, i) => angles.reduce((sum, _, j) => sum + (j === i ? 0 : coupling(i, j) * turn(i, j)), 0));
  return { scores, value, forces, pullsOf: (q) => angles.map((_, j) => (j === q ? 0 : -coupling(q, j) * Math.abs(turn(q, j)))) };
}

// A few steps of descent. Where the hardest force is dead, nothing moves.
export function follow(angles, labels, loss, tau) {
  let now = angles;
  for (let step = 0; step < STEPS; step++) {
    const { forces } = pushed(now, labels, loss, tau), top = hardest(forces);
    if (top >= DEAD) now = now.map((a, i) => (a + (TURN * forces[i]) / top + 360) % 360);
  }
  return now.map((a) => Math.round(a) % 360);
}

// Over the queries that have a positive.
export function meanAP(scores, labels) {
  const found = labels.flatMap((own, q) => {
    const others = labels.map((_, j) => j).filter((j) => j !== q);
    return averagePrecision(others.map((j) => scores[q][j]), others.map((j) => Number(labels[j] === own))) ?? [];
  });
  return found.reduce((sum, ap) => sum + ap, 0) / found.length;
}
