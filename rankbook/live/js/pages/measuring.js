// From a text or a file to results on view: reading, measuring in portions that do not hold the page, and showing all of it at once.
import { evaluate } from "../shared/evaluation.js";
import { affordable, lossesOf } from "../shared/ranker_losses.js";
import { problem, readTable, textOf } from "../shared/table_file.js";
import { temperatureOf } from "../shared/temperature.js";
import { showResults } from "./score_results.js";

const LARGEST = 50e6;  // bytes of a file
const REST = 30;       // ms of work before the page may breathe

function cutoffsOf(typed) {
  const cutoffs = [...new Set((typed.match(/[^\s,;]+/g) ?? []).map(Number))].sort((a, b) => a - b);
  if (cutoffs.length && cutoffs.length <= 6 && cutoffs.every((k) => Number.isInteger(k) && k >= 1 && k <= 1e6)) return cutoffs;
  throw problem(0, "cutoffs: one to six whole numbers from 1 on, such as 1, 5, 10");
}

const breathe = () => new Promise((resume) => { setTimeout(resume); });

// Works a generator to its end; null if the reader has asked for something else meanwhile.
async function work(steps, current) {
  for (let start = performance.now(), step = steps.next(); ; step = steps.next()) {
    if (!current()) return null;
    if (step.done) return step.value;
    if (performance.now() - start > REST) {
      await breathe();
      start = performance.now();
    }
  }
}

// `current` says whether the reader still wants this, `say` is heard by all. Nothing is shown before all is measured.
export async function measure({ text, file, name, as, cutoffs: typed }, results, { current, say }) {
  const cutoffs = cutoffsOf(typed);
  if (file?.size > LARGEST) throw problem(0, `the file has ${Math.round(file.size / 1e6)} MB; at most ${LARGEST / 1e6} are read`);
  const content = file ? textOf(new Uint8Array(await file.arrayBuffer())) : text;
  await breathe();
  if (!current()) return;
  const table = readTable(content, as), report = await work(evaluate(table.lists, cutoffs), current);
  if (!report) return;
  const heat = temperatureOf(report.lists), near = affordable(report.lists), tau = heat.start;
  const losses = tau > 0 ? await work(lossesOf(near, tau), current) : null;
  if (!current()) return;
  say(showResults(results, { name, table, report, cutoffs, metric: 0, heat, tau, losses, near }, { work: (steps) => work(steps, current), say }));
}
