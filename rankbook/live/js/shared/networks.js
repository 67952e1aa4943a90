// Four trained sorters in plain JavaScript: the ranks, and the gradient of a weighted sum of them with respect to the scores.
// tests/live/test_networks.py runs this very file and holds it to rankbook and torch autograd.
import { sigmoid } from "../core/math.js";

// ---- dense matrices that remember how they came about ----
// A matrix is { rows, cols, v, g }: its entries row by row, and the gradient of each; weights have no g.
let tape = []; // how each operation hands its gradient on, in the order of the operations

// at(i, j, e) is the entry in row i and column j, the e-th of all; back(g, i, j, e) hands the gradient g of this entry on.
function matrix(rows, cols, at, back) {
  const each = (call) => { for (let i = 0, e = 0; i < rows; i++) for (let j = 0; j < cols; j++, e++) call(i, j, e); };
  const v = new Float64Array(rows * cols), g = new Float64Array(rows * cols);
  each((i, j, e) => { v[e] = at(i, j, e); });
  if (back) tape.push(() => each((i, j, e) => { if (g[e]) back(g[e], i, j, e); }));
  return { rows, cols, v, g };
}

const send = (to, e, value) => { if (to.g) to.g[e] += value; };
const total = (values) => values.reduce((sum, value) => sum + value, 0);

// a b^T + bias: a linear layer, and every product of two matrices. Nearly all the time goes here.
function linear(a, b, bias) {
  const m = a.cols, av = a.v, bv = b.v;
  return matrix(a.rows, b.rows, (i, j) => {
    let sum = bias ? bias.v[j] : 0;
    for (let k = 0, p = i * m, q = j * m; k < m; k++) sum += av[p++] * bv[q++];
    return sum;
  }, (g, i, j) => {
    if (a.g) for (let k = 0, p = i * m, q = j * m; k < m; k++) a.g[p++] += g * bv[q++];
    if (b.g) for (let k = 0, p = i * m, q = j * m; k < m; k++) b.g[q++] += g * av[p++];
  });
}

const plus = (a, b) => matrix(a.rows, a.cols, (i, j, e) => a.v[e] + b.v[e], (g, i, j, e) => { send(a, e, g); send(b, e, g); });
const times = (a, b) => matrix(a.rows, a.cols, (i, j, e) => a.v[e] * b.v[e], (g, i, j, e) => { send(a, e, g * b.v[e]); send(b, e, g * a.v[e]); });

// f of each entry in its column; slope(x, y, j) is the derivative at x, where f is y.
function map(a, f, slope) {
  const out = matrix(a.rows, a.cols, (i, j, e) => f(a.v[e], j), (g, i, j, e) => send(a, e, g * slope(a.v[e], out.v[e], j)));
  return out;
}

// f of each row as a whole: { y, scale }; slope(y_j, y_k, same, scale) is the derivative of y_j in x_k, same is 1 if j = k, else 0.
function mapRows(a, f, slope) {
  const n = a.cols, rows = Array.from({ length: a.rows }, (_, i) => f(a.v.subarray(i * n, (i + 1) * n)));
  return matrix(a.rows, n, (i, j) => rows[i].y[j], (g, i, j) => {
    const { y, scale } = rows[i];
    for (let k = 0; k < n; k++) send(a, i * n + k, g * slope(y[j], y[k], Number(j === k), scale));
  });
}

const transpose = (a) => matrix(a.cols, a.rows, (i, j) => a.v[j * a.cols + i], (g, i, j) => send(a, j * a.cols + i, g));
const columns = (a, from, count) => matrix(a.rows, count, (i, j) => a.v[i * a.cols + from + j], (g, i, j) => send(a, i * a.cols + from + j, g));
const row = (a, i) => matrix(1, a.cols, (_, j, e) => a.v[i * a.cols + e], (g, _, j, e) => send(a, i * a.cols + e, g));
const stacked = (rows) => matrix(rows.length, rows[0].cols, (i, j) => rows[i].v[j], (g, i, j) => send(rows[i], j, g));

function beside(parts) {
  const place = parts.flatMap((part) => Array.from({ length: part.cols }, (_, j) => ({ part, j })));
  const entry = (i, { part, j }) => i * part.cols + j;
  return matrix(parts[0].rows, place.length, (i, j) => place[j].part.v[entry(i, place[j])], (g, i, j) => send(place[j].part, entry(i, place[j]), g));
}

// ---- layers, as torch defines them ----
const layer = (w, name, x) => linear(x, w[`${name}.weight`], w[`${name}.bias`]);
const squash = (x) => map(x, sigmoid, (_, y) => y * (1 - y));
const tanh = (x) => map(x, Math.tanh, (_, y) => 1 - y * y);
const silu = (x) => map(x, (u) => u * sigmoid(u), (u, y) => sigmoid(u) + y * sigmoid(-u));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const softmax = (x) => mapRows(x, (u) => {
  const top = Math.max(...u), e = u.map((value) => Math.exp(value - top)), sum = total(e);
  return { y: e.map((value) => value / sum) };
}, (y, other, same) => y * (same - other));

function layerNorm(w, name, x) {
  const n = x.cols, weight = w[`${name}.weight`].v, bias = w[`${name}.bias`].v;
  const standard = mapRows(x, (u) => {
    const mean = total(u) / n, scale = Math.sqrt(total(u.map((value) => (value - mean) ** 2)) / n + 1e-5);
    return { y: u.map((value) => (value - mean) / scale), scale };
  }, (y, other, same, scale) => (same - (1 + y * other) / n) / scale);
  return map(standard, (u, j) => u * weight[j] + bias[j], (u, y, j) => weight[j]);
}

// The normal distribution function, by a series whose terms are all of one sign; beyond 8 it is 0 or 1.
function normal(x) {
  if (Math.abs(x) > 8) return Number(x > 0);
  let term = x, sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= (x * x) / k;
  return 0.5 + sum * density(x);
}

const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const gelu = (x) => map(x, (u) => u * normal(u), (u) => normal(u) + u * density(u));

// ---- the sorters: scores as a column -> ranks as a column; see rankbook/sorters for what they are ----

// Mean 0, deviation 1; the deviation is a constant for the gradient. If all are tied, it is rounding of the mean.
function standardize(s) {
  const n = s.rows, mean = total(s.v) / n;
  const deviation = s.v.every((value) => value === s.v[0]) ? 1 : Math.sqrt(total(s.v.map((value) => (value - mean) ** 2)) / n);
  return matrix(n, 1, (i) => (s.v[i] - mean) / deviation, (g, i) => s.v.forEach((_, k) => send(s, k, (g * (Number(i === k) - 1 / n)) / deviation)));
}

const NEIGHBORS = [1, 2, 4, 8, 16], BASE = 2, NARROWEST = 1e-4;

// The widths of the steps are constants for the gradient.
function kernel(w, scores) {
  const z = standardize(scores), n = z.rows;
  const order = Array.from(z.v, (_, i) => i).sort((a, b) => z.v[a] - z.v[b] || a - b);
  const logSpacings = order.map((_, p) => NEIGHBORS.map((k) => {
    const low = Math.max(p - k, 0), high = Math.min(p + k, n - 1);
    return Math.log(Math.max((z.v[order[high]] - z.v[order[low]]) / (high - low), NARROWEST));
  }));
  const relative = matrix(n, NEIGHBORS.length, (p, k) => logSpacings[p][k] - logSpacings[p][BASE]);
  const factor = layer(w, "widths.4", silu(layer(w, "widths.2", silu(layer(w, "widths.0", relative)))));
  const byPlace = order.map((_, p) => Math.max(logSpacings[p][BASE] + factor.v[p], Math.log(NARROWEST)));
  const logWidth = Array.from(z.v, (score) => { // tied items share the mean
    const tied = byPlace.filter((_, p) => z.v[order[p]] === score);
    return total(tied) / tied.length;
  });

  const ones = matrix(n, 1, () => 1), minus = matrix(n, 1, () => -1);
  const leads = plus(linear(ones, z), linear(z, minus)); // z_j - z_i in row i
  const u = times(leads, matrix(n, n, (i, j) => Math.exp(-0.5 * (logWidth[i] + logWidth[j]))));
  const p = 1 + softplus(w.power.v[0]);
  const shrink = (x) => softplus(p * Math.log(Math.abs(x))) / p; // log of (1 + |x|^p)^(1/p), for any x
  const above = map(u, (x) => 0.5 + 0.5 * x * Math.exp(-shrink(x)), (x) => 0.5 * Math.exp(-(1 + p) * shrink(x)));
  return map(linear(above, transpose(ones)), (count) => 0.5 + count, () => 1);
}

// slope (z - place), one column for each place: a linear layer with constant weights.
function apart(z, place, logSlope) {
  const slope = Array.from(logSlope.v, Math.exp), k = slope.length;
  return linear(z, matrix(k, 1, (j) => slope[j]), matrix(1, k, (_, j) => -slope[j] * place.v[j]));
}

function knots(w, scores) {
  const z = standardize(scores);
  const above = squash(apart(z, w.place, w.log_count_slope));
  const counts = linear(matrix(1, z.rows, () => 1), transpose(above));
  const reads = softmax(map(apart(z, w.place, w.log_read_slope), (x, k) => w.weight.v[k] - x * x, (x) => -2 * x));
  return map(linear(reads, counts), (count) => 0.5 + count, () => 1);
}

function attention(w, name, to, of, heads) {
  const hidden = to.cols, size = hidden / heads;
  const query = layer(w, `${name}.query`, to), keyValue = layer(w, `${name}.key_value`, of);
  const read = Array.from({ length: heads }, (_, h) => {
    const [q, k, v] = [columns(query, h * size, size), columns(keyValue, h * size, size), columns(keyValue, hidden + h * size, size)];
    return linear(softmax(map(linear(q, k), (x) => x / Math.sqrt(size), () => 1 / Math.sqrt(size))), transpose(v));
  });
  return layer(w, `${name}.out`, beside(read));
}

function setTransformer(w, scores, { heads }) {
  const z = standardize(scores), n = z.rows;
  let x = layer(w, "embed", beside([z, tanh(apart(z, w.place, w.log_slope))]));
  for (let b = 0; w[`blocks.${b}.points`]; b++) {
    const name = `blocks.${b}`, own = w[`${name}.points`], items = layerNorm(w, `${name}.norm_items`, x);
    const points = plus(own, attention(w, `${name}.gather`, own, items, heads));
    x = plus(x, attention(w, `${name}.spread`, items, layerNorm(w, `${name}.norm_points`, points), heads));
    x = plus(x, layer(w, `${name}.mlp.2`, gelu(layer(w, `${name}.mlp.0`, layerNorm(w, `${name}.norm_mlp`, x)))));
  }
  return map(squash(layer(w, "read", layerNorm(w, "norm", x))), (share) => 0.5 + n * share, () => n);
}

// One direction of one layer of a GRU, the items in rows.
function pass(w, name, x, backward) {
  const inputs = linear(x, w[`gru.weight_ih_${name}`], w[`gru.bias_ih_${name}`]), size = inputs.cols / 3;
  const states = [];
  let state = matrix(1, size, () => 0);
  for (let step = 0; step < x.rows; step++) {
    const t = backward ? x.rows - 1 - step : step;
    const seen = row(inputs, t), known = linear(state, w[`gru.weight_hh_${name}`], w[`gru.bias_hh_${name}`]);
    const gate = squash(plus(columns(seen, 0, 2 * size), columns(known, 0, 2 * size)));
    const reset = columns(gate, 0, size), keep = columns(gate, size, size);
    const fresh = tanh(plus(columns(seen, 2 * size, size), times(reset, columns(known, 2 * size, size))));
    state = plus(times(map(keep, (k) => 1 - k, () => -1), fresh), times(keep, state));
    states[t] = state;
  }
  return stacked(states);
}

function gru(w, scores, { standardized = true }) {
  let x = standardized ? standardize(scores) : scores;
  for (let l = 0; w[`gru.weight_ih_l${l}`]; l++) x = beside([pass(w, `l${l}`, x, false), pass(w, `l${l}_reverse`, x, true)]);
  return map(squash(layer(w, "read", x)), (share) => scores.rows * share, () => scores.rows);
}

const ARCHITECTURES = { KernelSorter: kernel, KnotSorter: knots, SetTransformerSorter: setTransformer, BiGRUSorter: gru };

// ---- what the page calls ----
function half(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return (bits >> 15 ? -1 : 1) * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

// A network as learned_sorters.py packs it: its weights are base64 of float16, tensor after tensor, as `layout` names them.
export function unpack({ architecture, options, layout, data }) {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), words = new DataView(bytes.buffer);
  const weights = {};
  let start = 0;
  layout.forEach(([name, rows, cols]) => {
    weights[name] = { rows, cols, v: Float64Array.from({ length: rows * cols }, (_, e) => half(words.getUint16(2 * (start + e), true))) };
    start += rows * cols;
  });
  return (scores) => ARCHITECTURES[architecture](weights, scores, options);
}

// The ranks that an unpacked network gives to two or more scores, and the gradient of sum_i pull_i r_i.
export function learnedRanks(network, scores, pull) {
  tape = [];
  const n = scores.length, column = matrix(n, 1, (i) => scores[i]);
  const ranks = map(network(column), (rank) => Math.min(Math.max(rank, 0.5), n + 0.5), () => 1); // clamped straight through
  ranks.g.set(pull);
  tape.reverse().forEach((step) => step());
  return { ranks: Array.from(ranks.v), gradient: Array.from(column.g) };
}
