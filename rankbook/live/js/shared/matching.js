// Entropic matching of three views, by Sinkhorn on the whole tensor of triples: small here.
const TOLERANCE = 1e-6, SWEEPS = 20000;

const units = (angles) => angles.map((a) => [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)]);
const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;

// InfoNCE of score rows whose own item stands on the diagonal.
const crossEntropy = (scores) => mean(scores.map((row, i) => {
  const top = Math.max(...row);
  return top - row[i] + Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
}));

const transposed = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]));

export function matched(angles, epsilon) {
  const views = angles.map(units), n = views[0].length, all = [...Array(n).keys()];
  const cost = (i, j, l) => {
    const x = [0, 1].map((d) => (views[0][i][d] + views[1][j][d] + views[2][l][d]) / 3);
    return 1 - x[0] ** 2 - x[1] ** 2;
  };
  const kernel = all.map((i) => all.map((j) => all.map((l) => Math.exp(-cost(i, j, l) / epsilon))));
  const duals = views.map(() => all.map(() => 1)), plan = (i, j, l) => duals[0][i] * duals[1][j] * duals[2][l] * kernel[i][j][l];
  for (let sweep = 0, off = 1; sweep < SWEEPS && off >= TOLERANCE; sweep++) {
    off = 0;
    for (let view = 0; view < 3; view++) {
      const marginal = all.map(() => 0);
      for (const i of all) for (const j of all) for (const l of all) marginal[[i, j, l][view]] += plan(i, j, l);
      marginal.forEach((mass, i) => {
        off += Math.abs(mass - 1 / n);
        duals[view][i] /= mass * n;
      });
    }
  }
  const truth = mean(all.map((i) => cost(i, i, i)));
  const upper = all.map((i) => all.map((j) => n * all.reduce((sum, l) => sum + plan(i, j, l), 0)));
  const lower = all.map((j) => all.map((l) => n * all.reduce((sum, i) => sum + plan(i, j, l), 0)));
  const scores = [[0, 1], [0, 2], [1, 2]].map(([a, b]) => views[a].map((x) => views[b].map((y) => x[0] * y[0] + x[1] * y[1])));
  const both = scores.flatMap((rows) => [rows, transposed(rows)]), sharp = 4.5 * epsilon;
  return {
    gap: truth - epsilon * (Math.log(n) + duals.reduce((sum, dual) => sum + mean(dual.map(Math.log)), 0)),
    info_nce: mean(both.map((rows) => crossEntropy(rows.map((row) => row.map((score) => score / sharp))))),
    right: both.reduce((sum, rows) => sum + rows.filter((row, i) => row[i] >= Math.max(...row)).length, 0),
    cost: truth, upper, lower,
  };
}
