// A row for each of seven metrics, on one axis from 0 to 1.
import { SEVEN } from "./seven.js";
import { linear } from "../core/elements.js";
import { line, text } from "../core/marks.js";

const ROW = 25, NAMES = 112, VALUES = 112;
export const BOARD = SEVEN.length * ROW;

const NAME = {
  precision_at_k: (k) => `precision@${k}`, recall_at_k: (k) => `recall@${k}`, hit_at_k: (k) => `hit@${k}`,
  reciprocal_rank: () => "reciprocal rank", average_precision: () => "AP", map_at_r: () => "mAP@R", ndcg: () => "NDCG",
};

// show(metric, x, y) draws a row and returns the text at its right.
export function metricRows(picture, width, top, k, show) {
  const x = linear(0, 1, NAMES, width - VALUES);
  SEVEN.forEach((metric, row) => {
    const y = top + (row + 0.5) * ROW;
    line(picture, x.start, y, x.end, y, "rb-grid");
    [x.start, x.end].forEach((at) => line(picture, at, y - 5, at, y + 5, "rb-grid"));
    text(picture, 0, y + 4.5, NAME[metric](k), "rb-flat", "start");
    const [words, look] = show(metric, x, y);
    text(picture, width, y + 4.5, words, look, "end");
  });
}
