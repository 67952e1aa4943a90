// Losses of a batch as functions of its matrix of cosines: { value, slopes }, the slopes in the shape of the matrix. Each item queries
// the others; the diagonal counts for nothing. Numbers of the margins: the package's defaults.
import { smoothAPLoss } from "./soft_metrics.js";
import { supAPLoss } from "./suprank.js";

const POSITIVE = 0.9, NEGATIVE = 0.6;  // margins of the calibration
const MARGIN = 0.2;                    // of the triplet, in units of the distance

const zeros = (n) => Array.from({ length: n }, () => Array(n).fill(0));
const idsOf = (labels) => labels.map((_, i) => i);

// The mean over the queries that have a positive, of a loss of the list of the others.
const ofLists = (ofList) => (scores, labels, tau) => {
  const all = idsOf(labels), slopes = zeros(all.length);
  const queries = all.filter((q) => all.some((j) => j !== q && labels[j] === labels[q]));
  let value = 0;
  queries.forEach((q) => {
    const others = all.filter((j) => j !== q);
    const { loss, gradient } = ofList(others.map((j) => scores[q][j]), others.map((j) => Number(labels[j] === labels[q])), tau);
    value += loss / queries.length;
    others.forEach((j, k) => { slopes[q][j] = gradient[k] / queries.length; });
  });
  return { value, slopes };
};

function supCon(scores, relevance, tau) {
  const top = Math.max(...scores), parts = scores.map((s) => Math.exp((s - top) / tau));
  const whole = parts.reduce((sum, part) => sum + part, 0), count = relevance.reduce((sum, rel) => sum + rel, 0);
  return {
    loss: scores.reduce((sum, s, j) => sum + (relevance[j] / count) * ((top - s) / tau + Math.log(whole)), 0),
    gradient: parts.map((part, j) => (part / whole - relevance[j] / count) / tau),
  };
}

function calibration(scores, labels) {
  const all = idsOf(labels), slopes = zeros(all.length);
  const pairs = all.flatMap((i) => all.filter((j) => j !== i).map((j) => ({ i, j, same: labels[i] === labels[j] })));
  const shares = [false, true].map((kind) => 1 / Math.max(1, pairs.filter(({ same }) => same === kind).length));
  let value = 0;
  pairs.forEach(({ i, j, same }) => {
    const excess = same ? POSITIVE - scores[i][j] : scores[i][j] - NEGATIVE, share = shares[Number(same)];
    if (excess <= 0) return;
    value += excess * share;
    slopes[i][j] = same ? -share : share;
  });
  return { value, slopes };
}

// The farthest positive and the nearest negative of each item, the first of several; the mean over those that violate the margin.
function hardTriplet(scores, labels) {
  const all = idsOf(labels), slopes = zeros(all.length), found = [];
  const distance = (i, j) => Math.sqrt(Math.max(0, 2 - 2 * scores[i][j]));
  all.forEach((i) => {
    const same = all.filter((j) => j !== i && labels[j] === labels[i]), other = all.filter((j) => labels[j] !== labels[i]);
    if (!same.length || !other.length) return;
    const far = same.reduce((best, j) => (distance(i, j) > distance(i, best) ? j : best));
    const near = other.reduce((best, j) => (distance(i, j) < distance(i, best) ? j : best));
    const excess = distance(i, far) - distance(i, near) + MARGIN;
    if (excess > 0) found.push({ i, far, near, excess });
  });
  const count = Math.max(1, found.length), slope = (i, j) => (distance(i, j) > 0 ? 1 / distance(i, j) / count : 0);
  found.forEach(({ i, far, near }) => {
    slopes[i][far] -= slope(i, far);
    slopes[i][near] += slope(i, near);
  });
  return { value: found.reduce((sum, { excess }) => sum + excess, 0) / count, slopes };
}

const smoothAP = ofLists(smoothAPLoss);
const supAP = ofLists((scores, relevance, tau) => supAPLoss(scores, relevance, tau, 1 / tau, 5 * tau));

function roadmap(scores, labels, tau) {
  const rank = supAP(scores, labels, tau), scale = calibration(scores, labels);
  return { value: (rank.value + scale.value) / 2, slopes: rank.slopes.map((row, i) => row.map((slope, j) => (slope + scale.slopes[i][j]) / 2)) };
}

// Name -> (scores [n][n], labels [n], tau) -> { value, slopes }.
export const BATCH_LOSSES = { "Smooth-AP": smoothAP, SupAP: supAP, calibration, ROADMAP: roadmap, SupCon: ofLists(supCon), triplet: hardTriplet };
