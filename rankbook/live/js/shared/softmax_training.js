// Cross-entropy with weight decay, trained: unit vectors at angles and two class vectors, both by gradient descent.
import { radians } from "./on_circle.js";

export const STEPS = 40;
const RATE = 0.5, TURN = 4;  // learning rates of the class vectors and of the angles, in radians

const sum = (values) => values.reduce((total, value) => total + value, 0);
export const square = (vector) => sum(vector.map((value) => value * value));

// Every step of gradient descent from class vectors of 0: angles in radians, vectors, and the numbers on display.
export function training(degrees, labels, decay) {
  const n = degrees.length;
  let angles = degrees.map(radians), vectors = [[0, 0], [0, 0]];
  return Array.from({ length: STEPS + 1 }, () => {
    const z = angles.map((a) => [Math.cos(a), Math.sin(a)]);
    // what each probability lacks: below 0 for the own class
    let cross_entropy = 0;
    const excess = z.map((one, i) => {
      const logits = vectors.map((v) => v[0] * one[0] + v[1] * one[1]), top = Math.max(...logits);
      const whole = top + Math.log(sum(logits.map((logit) => Math.exp(logit - top))));
      cross_entropy += (whole - logits[labels[i]]) / n;
      return logits.map((logit, k) => Math.exp(logit - whole) - (labels[i] === k));
    });
    const total = (k) => [0, 1].map((c) => sum(z.map((one, i) => (k === null || labels[i] === k ? one[c] : 0))) / n);
    const pull = square(total(0)) + square(total(1)), push = square(total(null)) / 2;
    const value = cross_entropy + (decay / 2) * (square(vectors[0]) + square(vectors[1]));
    const state = { angles, vectors, cross_entropy, value, bound: Math.log(2) - (pull - push) / (2 * decay), pull, push };
    const turns = z.map((one, i) => {
      const slope = [0, 1].map((c) => sum(vectors.map((v, k) => excess[i][k] * v[c])) / n);
      return slope[1] * one[0] - slope[0] * one[1];
    });
    vectors = vectors.map((v, k) => v.map((value, c) => value - RATE * (sum(z.map((one, i) => excess[i][k] * one[c])) / n + decay * value)));
    angles = angles.map((a, i) => a - TURN * turns[i]);
    return state;
  });
}
