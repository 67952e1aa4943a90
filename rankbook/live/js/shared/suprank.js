// SupRank's step: the sigmoid behind, half a rank more from the tie on, a line of slope rho beyond delta. Never below H.
import { positives } from "./metrics.js";
import { sigmoid, sigmoidSlope } from "../core/math.js";

export function supStep(x, tau, rho, delta) {
  if (x < 0) return sigmoid(x / tau);
  return 0.5 + sigmoid(Math.min(x, delta) / tau) + rho * Math.max(0, x - delta);
}

export const supStepSlope = (x, tau, rho, delta) => (x > delta ? rho : sigmoidSlope(x / tau) / tau);

// SupAP: 1 - AP in which irrelevant items count by that step, relevant ones exactly; and its gradient by the quotient rule.
export function supAPLoss(scores, relevance, tau, rho, delta) {
  const found = positives(relevance), rivals = scores.flatMap((_, j) => (relevance[j] > 0 ? [] : [j]));
  const gradient = scores.map(() => 0);
  let loss = 1;
  found.forEach((k) => {
    const lead = (j) => scores[j] - scores[k];
    const among = found.filter((i) => lead(i) >= 0).length;
    const rank = rivals.reduce((sum, j) => sum + supStep(lead(j), tau, rho, delta), among);
    const weight = among / rank / found.length;
    loss -= weight;
    rivals.forEach((j) => {
      const push = (weight / rank) * supStepSlope(lead(j), tau, rho, delta);
      gradient[j] += push;
      gradient[k] -= push;
    });
  });
  return { loss, gradient };
}
