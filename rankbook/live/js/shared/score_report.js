// What stands on view, as sections { key, title, text, head, rows } of plain values: the page, Markdown and CSV show the same.
// `counts` are the columns of whole numbers.
import { compact, fixed } from "../core/elements.js";
import { STEADY, countPairs, liveGap, rankError } from "./temperature.js";
import { SUP } from "./ranker_losses.js";

export const LOSERS = 10;

export const number = (n) => n.toLocaleString("en-US");
const queries = (n) => (n === 1 ? "1 query" : `${number(n)} queries`);
const lists = (n) => (n === 1 ? "1 list" : `${number(n)} lists`);

// A value on the page: three digits, a dash for what is undefined; a count as it is.
export const shown = (value, counts) => (value === null ? "\u2013" : typeof value !== "number" ? value : counts ? number(value) : fixed(value, 3));

export function summaryOf({ table, report }) {
  const kind = table.kind === "lists"
    ? `Read as ${table.columns.join(", ")}` : `Read as embeddings with ${table.dimension} numbers: every item is a query, the others its gallery`;
  const names = report.left.slice(0, 3).join(", ") + (report.left.length > 3 ? "..." : ".");
  const left = report.left.length ? ` ${queries(report.left.length)} without a relevant item left out: ${names}` : "";
  return `${kind}. ${queries(report.lists.length)} measured, ${number(report.items)} scores.${left}`;
}

function metricSections({ report, cutoffs }) {
  const byName = Object.fromEntries(report.metrics.map((metric) => [metric.name, metric]));
  const whole = report.metrics.filter(({ name }) => !/^\w+@\d/.test(name));
  const differ = report.metrics.filter(({ value, worst, best }) => Math.max(Math.abs(value - worst), Math.abs(best - worst)) > 1e-12);
  const { ties } = report;
  const some = `${number(ties.pairs)} ${ties.pairs === 1 ? "pair" : "pairs"} of equal score in ${lists(ties.lists)}. `
    + `In ${number(ties.mixed)} the relevance differs, so the order matters.`;
  return [
    {
      key: "whole", title: "Every metric", text: "The mean over queries.", head: ["metric", "mean", "queries"], counts: [2],
      rows: whole.map(({ name, value, counted }) => [name, value, counted]),
    },
    {
      key: "cut", title: "Cut at k", text: "", head: ["k", ...cutoffs.map(String)],
      rows: ["recall", "hit", "precision", "NDCG"].map((name) => [`${name}@k`, ...cutoffs.map((k) => byName[`${name}@${k}`].value)]),
    },
    {
      key: "ties", title: "Ties", text: ties.pairs ? some : "No two scores of a list are equal.", head: ["metric", "as above", "worst order", "best order"],
      rows: differ.map(({ name, value, worst, best }) => [name, value, worst, best]),
    },
    {
      key: "conventions", title: "What R@k could mean",
      text: "The share of the relevant items found (recall), or whether any was (hit), with ties against you or for you.",
      head: ["k", "recall, worst", "recall, best", "hit, worst", "hit, best"],
      rows: cutoffs.map((k) => [`R@${k}`, ...["recall", "hit"].flatMap((name) => [byName[`${name}@${k}`].worst, byName[`${name}@${k}`].best])]),
    },
  ];
}

// The queries that have a value of the metric, the lowest first.
export const sorted = (report, metric) => report.lists.map((list, q) => ({ list, value: report.metrics[metric].each[q] }))
  .filter(({ value }) => value !== null).sort((a, b) => a.value - b.value);

function querySections({ report, metric }) {
  const { name } = report.metrics[metric], order = sorted(report, metric), loss = order.reduce((sum, { value }) => sum + 1 - value, 0);
  if (!order.length) return [{ key: "spread", title: "Query by query", text: `${name} has no value on any query.`, head: [], rows: [] }];
  const at = (share) => {  // as numpy's quantile
    const p = share * (order.length - 1), low = Math.floor(p), high = Math.ceil(p);
    return order[low].value + (p - low) * (order[high].value - order[low].value);
  };
  return [
    {
      key: "spread", title: "Query by query", text: "", head: ["metric", "lowest", "quarter", "median", "three quarters", "highest"],
      rows: [[name, ...[0, 0.25, 0.5, 0.75, 1].map(at)]],
    },
    {
      key: "losers", title: "Which queries lose most", text: `Share: of all that ${name} lacks to 1, summed over the queries.`,
      head: ["query", name, "relevant", "items", "share"], counts: [2, 3],
      rows: order.slice(0, LOSERS).map(({ list: { query, scores, relevance }, value }) =>
        [query, value, relevance.filter((rel) => rel > 0).length, scores.length, loss > 0 ? (1 - value) / loss : 0]),
    },
  ];
}

const share = (part, whole) => (whole ? part / whole : null);

export function temperatureSection({ heat, tau, report }) {
  const items = report.lists.reduce((sum, { scores: { length } }) => sum + (length > 1 ? length : 0), 0);
  const measured = heat.sample.reduce((sum, { length }) => sum + length, 0);
  const part = measured < items ? ` The error of the ranks is measured on ${number(measured)} of ${number(items)} items, evenly along the rankings.` : "";
  const live = countPairs(heat.split, liveGap(tau)), { spread, start } = heat;
  return {
    key: "temperature", title: "Temperature", head: ["at \u03c4", compact(tau)],
    text: `${number(live.pairs)} pairs of a relevant and an irrelevant item; ${number(live.wrong)} in the wrong order, ties included.${part}`,
    rows: [
      ["dead, of all pairs", share(live.pairs - live.near, live.pairs)],
      ["dead, of those in the wrong order", share(live.wrong - live.wrongNear, live.wrong)],
      ["error of the ranks / n", rankError(heat.sample, tau)],
      ["\u03c4 in standard deviations", tau / spread],
      ["standard deviation within a list", compact(spread)],
      ["a start for \u03c4", compact(start)],
      ["and hardly moved between", STEADY.map((times) => compact(times * spread)).join(" and ")],
    ],
  };
}

export function lossSection({ losses, tau, near, report }) {
  const all = near.length === report.lists.length;
  const part = all ? "" : ` On ${number(near.length)} of ${queries(report.lists.length)}: comparing all pairs of the others would take too long here.`;
  return {
    key: "losses", title: "1 \u2212 AP with each ranker",
    text: `At \u03c4 = ${compact(tau)} for all (box: width); SupRank with \u03c1 = ${SUP.rho}, \u03b4 = ${SUP.delta}.${part}`,
    head: ["ranks", "1 \u2212 AP", "minus exact"], rows: losses.map(({ name, loss }) => [name, loss, loss === null ? null : loss - losses[0].loss]),
  };
}

export const sectionsOf = (state) => [
  ...metricSections(state), ...querySections(state), ...(state.tau ? [temperatureSection(state)] : []), ...(state.losses ? [lossSection(state)] : []),
];

// ---- to take away ----
const cell = (value) => (value === null ? "" : typeof value === "number" ? String(Number(value.toPrecision(12))) : value);

export function markdown(summary, sections) {
  const row = (cells) => `| ${cells.map((value) => cell(value).replace(/\|/g, "\\|").replace(/\s+/g, " ")).join(" | ")} |`;
  const rule = (head) => `|${head.map((_, c) => (c ? "---:|" : "---|")).join("")}`;
  const table = (head, rows) => (rows.length ? ["", row(head), rule(head), ...rows.map(row)] : []);
  const of = ({ title, text, head, rows }) => [`## ${title}`, ...(text ? ["", text] : []), ...table(head, rows), ""];
  return ["# Your scores", "", summary, "", ...sections.flatMap(of)].join("\n");
}

export function csv(summary, sections) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const row = (cells) => cells.map((value) => quoted(cell(value))).join(",");
  const of = ({ title, head, rows }) => rows.flatMap(([name, ...values]) => values.map((value, c) => row([title, name, head[c + 1], value])));
  return [row(["section", "row", "column", "value"]), row(["Your scores", "", "", summary]), ...sections.flatMap(of), ""].join("\r\n");
}
