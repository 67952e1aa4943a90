// SupRank's step: the sigmoid behind, half a rank more from the tie on, a line of slope rho beyond delta. Never below H.
import { sigmoid, sigmoidSlope } from "../core/math.js";

export function supStep(x, tau, rho, delta) {
  if (x < 0) return sigmoid(x / tau);
  return 0.5 + sigmoid(Math.min(x, delta) / tau) + rho * Math.max(0, x - delta);
}

export const supStepSlope = (x, tau, rho, delta) => (x > delta ? rho : sigmoidSlope(x / tau) / tau);
