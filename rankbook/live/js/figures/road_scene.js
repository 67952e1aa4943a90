// A road from above: the cheapest of 21 plans of a car, and what it would save if one of the agents were not there.
import { handle, tiles } from "../core/controls.js";
import { fixed, html, linear, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { axis, circle, line, panel, path, rect, text } from "../core/marks.js";
import { letter, replaced } from "../shared/items.js";

// as in rankbook/road.py
const SPEEDS = [0, 2.5, 5, 7.5, 10, 12.5, 15], OFFSETS = [-3, 0, 3], TIMES = Array.from({ length: 20 }, (_, t) => (t + 1) * 0.2);
const DESIRED = 12.5, ASIDE = 1, CHANGE = 0.1, PROGRESS = 12, LENGTH = 6, WIDTH = 1.8, NEAR = 60;
const PLANS = SPEEDS.flatMap((target) => OFFSETS.map((offset) => [target, offset]));
const SIDES = { "-3": "to the right", 0: "in its lane", 3: "to the left" };

function way([target, offset], speed, time) {
  const reached = time < 2 ? (time * time) / 4 : time - 1, part = Math.min(1, time / 2);
  return [speed * time + (target - speed) * reached, offset * part * part * (3 - 2 * part)];
}

function planned({ x, y, vx, vy, radius, here, speed }) {
  const full = DESIRED * 4;
  const base = PLANS.map((plan) => (PROGRESS * Math.abs(way(plan, speed, 4)[0] - full)) / full + CHANGE * Math.abs(plan[0] - speed) + ASIDE * (plan[1] !== 0));
  const costs = PLANS.map((plan) => x.map((_, a) => {
    const nearest = Math.min(...TIMES.map((time) => {
      const [px, py] = way(plan, speed, time);
      return Math.hypot((px - x[a] - vx[a] * time) / (LENGTH + radius[a]), (py - y[a] - vy[a] * time) / (WIDTH + radius[a]));
    }));
    return NEAR * Math.max(0, 1 - nearest) ** 2;
  }));
  const totals = (seen) => base.map((own, p) => own + costs[p].reduce((sum, cost, a) => sum + cost * seen[a], 0));
  const best = (seen) => Math.min(...totals(seen));
  const now = totals(here), cost = Math.min(...now);
  return { cost, plan: now.indexOf(cost), importance: here.map((_, a) => best(replaced(here, a, 1)) - best(replaced(here, a, 0))) };
}

const METER = 24, TOP = 10.6, HEIGHT = 366;  // across the road; along it as the width allows

function build({ root, get, set }) {
  const plot = panel(root);
  const buttons = get("x").map((_, a) => {
    const made = html(plot.box, "button", { type: "button", class: "rb-handle", style: "padding:0;border:0;background:none;cursor:pointer;touch-action:auto" });
    html(made, "span", { class: "rb-face" }, letter(a));
    made.addEventListener("click", () => set({ here: replaced(get("here"), a, 1 - get("here")[a]) }));
    return made;
  });
  const knob = handle(plot.box, {
    label: "speed of the car", min: 6, max: 14, face: "", digits: 1, nudge: (value, steps) => value + steps / 10, change: (speed) => set({ speed }),
  });
  const [costTile, planTile, countTile] = tiles(root, ["Cost of the best plan", "Best plan", "Agents that matter"]);

  return function draw(width, state) {
    const values = planned(state), { here, speed } = state;
    const x = linear(-30, 75, 22, width - 22), y = (meters) => (TOP - meters) * METER, picture = plot.clear(width, HEIGHT + 82);
    rect(picture, 0, y(8.9), width, y(-4.6) - y(8.9), "rb-band");
    [1.6, 5.4].forEach((at) => line(picture, 0, y(at), width, y(at), "rb-guide rb-dotted"));
    const best = PLANS[values.plan], route = [0, ...TIMES].map((time) => way(best, speed, time));
    path(picture, route.map(([along, aside], t) => `${t ? "L" : "M"}${x(along).toFixed(1)},${y(aside).toFixed(1)}`).join(""), "rb-curve rb-smooth");
    route.forEach(([along, aside], t) => { if (t % 5 === 0) circle(picture, x(along), y(aside), 4.5, "rb-point rb-smooth"); });
    rect(picture, x(0) - 16, y(0) - 10, 32, 20, "rb-gap", { rx: 4 });
    text(picture, x(0), y(0) + 30, "the car", "rb-muted");
    buttons.forEach((button, a) => {
      const matters = values.importance[a] > 1e-9, present = here[a] === 1, at = [x(state.x[a]), y(state.y[a])];
      const to = [Math.max(4, Math.min(width - 4, x(state.x[a] + 4 * state.vx[a]))), y(state.y[a] + 4 * state.vy[a])];
      if (present) svg(picture, "line", { x1: at[0], y1: at[1], x2: to[0], y2: to[1], class: `rb-link ${matters ? "rb-relevant" : "rb-irrelevant"}` });
      button.style.left = `${at[0]}px`;
      button.style.top = `${at[1]}px`;
      button.style.opacity = present ? 1 : 0.4;
      button.dataset.look = matters && present ? "relevant" : "irrelevant";
      button.setAttribute("aria-pressed", String(!present));
      button.setAttribute("aria-label", `take away ${letter(a)}, importance ${fixed(values.importance[a], 1)}`);
      text(picture, at[0] - 19, at[1] + 5, fixed(values.importance[a], 1), matters && present ? "rb-strong" : "rb-muted", "end");
    });
    const z = linear(6, 14, 34, width - 34);
    axis(picture, z, HEIGHT + 26, [6, 8, 10, 12, 14], { label: String, name: "speed of the car now, m/s" });
    knob.place(z, HEIGHT + 26, { now: speed, spoken: `${fixed(speed, 1)} meters a second` });
    const count = here.filter((one, a) => one && values.importance[a] > 1e-9).length, told = `${best[0]} m/s ${SIDES[best[1]]}`;
    costTile.show(fixed(values.cost, 2), "lost way, speed, side, agents");
    planTile.show(`${best[0]} m/s`, SIDES[best[1]]);
    countTile.show(`${count} of ${here.reduce((sum, one) => sum + one, 0)}`, "importance above 0");
    return { values, summary: `Best plan ${told}, cost ${fixed(values.cost, 2)}; ${count} agents matter` };
  };
}

export default figure({
  label: "A road scene and its best plan", traits: ["x", "y", "vx", "vy", "radius", "here", "speed"],
  legend: [["rb-stroke rb-smooth", "best plan"], ["rb-dot rb-relevant", "matters"], ["rb-dot rb-irrelevant", "importance 0"]],
  hint: "Click A, then B: each alone changes nothing.",
  build,
});
