// A drawn eye with a lesion that the reader makes larger, and the weight that mean times max of 16 trained channels gives to each place.
import { choices, handle, tiles } from "../core/controls.js";
import { fixed, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { circle, panel, text } from "../core/marks.js";
import { sigmoid } from "../core/math.js";
import { address } from "../shared/pixels.js";

// As in eye_attention.py and eye_picture.py.
const SIDE = 48, HALF = 24, PLACES = 12, CHANNELS = 16, MIDDLE = [16, 28];
const COLORS = { bright: [0.28, 0.5, 0.35], dark: [-0.45, -0.25, -0.1] };

const bytes = (code) => Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0));

// The eye with its lesion: a color from 0 to 1 for each channel of each pixel.
function withLesion(eye, span, look) {
  return Float64Array.from(eye, (value, at) => {
    const p = Math.floor(at / 3), y = Math.floor(p / SIDE) - MIDDLE[0], x = (p % SIDE) - MIDDLE[1];
    return Math.min(1, Math.max(0, value / 255 + COLORS[look][at % 3] * Math.exp(-(y * y + x * x) / (span / 3) ** 2)));
  });
}

// Every place from `from` on that a window of 3, with a stride of 2 and a border of 1, sees.
const window = (at, size) => [2 * at - 1, 2 * at, 2 * at + 1].map((pixel, k) => [pixel, k]).filter(([pixel]) => pixel >= 0 && pixel < size);

function convolved(colors, stem, c) {
  const found = new Float64Array(HALF * HALF);
  for (let i = 0; i < HALF; i++) {
    for (let j = 0; j < HALF; j++) {
      let sum = stem[CHANNELS * 27 + c];
      for (const [y, a] of window(i, SIDE)) {
        for (const [x, b] of window(j, SIDE)) {
          for (let k = 0; k < 3; k++) sum += stem[27 * c + 9 * k + 3 * a + b] * (colors[3 * (SIDE * y + x) + k] - 0.5);
        }
      }
      found[HALF * i + j] = Math.max(0, sum);
    }
  }
  return found;
}

function attention(colors, stem) {
  const sums = new Float64Array(PLACES * PLACES), most = new Float64Array(PLACES * PLACES).fill(-Infinity);
  for (let c = 0; c < CHANNELS; c++) {
    const from = convolved(colors, stem, c), scale = stem[CHANNELS * 28 + c], shift = stem[CHANNELS * 29 + c];
    for (let i = 0; i < PLACES; i++) {
      for (let j = 0; j < PLACES; j++) {
        let top = 0;
        for (const [y] of window(i, HALF)) for (const [x] of window(j, HALF)) top = Math.max(top, from[HALF * y + x]);
        const value = top * scale + shift, at = PLACES * i + j;
        sums[at] += value;
        most[at] = Math.max(most[at], value);
      }
    }
  }
  return Array.from(sums, (sum, at) => sigmoid((sum / CHANNELS) * most[at]));
}

const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;

function build({ root, set }) {
  const choose = choices(root, { label: "the lesion is", names: { bright: "bright lesion", dark: "dark lesion" }, change: (look) => set({ look }) });
  const plot = panel(root), knob = handle(plot.box, {
    label: "pixels across the lesion", min: 1, max: 20, face: "", digits: 1, nudge: (value, steps) => value + steps / 2, change: (span) => set({ span }),
  });
  plot.box.classList.add("rb-dots");
  const [here, there, all] = tiles(root, ["A at the lesion", "A elsewhere, mean", "All places"]);
  let known = {};

  return function draw(width, { span, look, picture, stem }) {
    if (known.picture !== picture || known.code !== stem) known = { picture, code: stem, eye: bytes(picture), stem: new Float32Array(bytes(stem).buffer) };
    const colors = withLesion(known.eye, span, look), weights = attention(colors, known.stem);
    const apart = [[], []];
    weights.forEach((weight, at) => {
      const off = Math.hypot(4 * Math.floor(at / PLACES) - MIDDLE[0], 4 * (at % PLACES) - MIDDLE[1]);
      apart[off <= Math.max(span / 2, 2) ? 0 : 1].push(weight);
    });
    const [at_lesion, elsewhere] = apart.map(mean), least = Math.min(...weights), most = Math.max(...weights), share = (Math.PI / 4) * (span / SIDE) ** 2;

    const side = Math.min(288, (width - 16) / 2), left = (width - 2 * side - 16) / 2, unit = side / SIDE, drawing = plot.clear(width, side + 22);
    const place = (pixel) => Math.min(PLACES - 1, Math.floor(pixel / 4 + 0.5));  // whose middle is nearest
    const images = [
      [left, address(SIDE, (p) => [0, 1, 2].map((k) => Math.round(255 * colors[3 * p + k]))), "the eye"],
      [left + side + 16, address(SIDE, (p) => Array(3).fill(Math.round(255 * weights[PLACES * place(Math.floor(p / SIDE)) + place(p % SIDE)]))), "A: black is 0, white is 1"],
    ];
    images.forEach(([x, href, name]) => {
      svg(drawing, "image", { href, x, y: 0, width: side, height: side, style: "image-rendering: pixelated" });
      circle(drawing, x + (MIDDLE[1] + 0.5) * unit, (MIDDLE[0] + 0.5) * unit, (span / 2 + 1) * unit, "rb-ring rb-in-picture");
      text(drawing, x + side / 2, side + 17, name, "rb-muted");
    });

    const edge = Object.assign((value) => left + (MIDDLE[1] + 1.5 + value / 2) * unit, { invert: (x) => 2 * ((x - left) / unit - MIDDLE[1] - 1.5) });
    knob.place(edge, (MIDDLE[0] + 0.5) * unit, { now: span, spoken: `${fixed(span, 1)} pixels, weight ${fixed(at_lesion, 2)}` });
    choose(look);
    here.show(fixed(at_lesion, 2), `${fixed(100 * share, 1)} % of the picture`);
    there.show(fixed(elsewhere, 2), "of 144 places");
    all.show(`${fixed(least, 2)} to ${fixed(most, 2)}`, "0.5: as if x were 0");
    const summary = `A ${look} lesion of ${fixed(span, 1)} pixels counts ${fixed(at_lesion, 2)}, the other places ${fixed(elsewhere, 2)}`;
    return { values: { span, look, picture, stem, weights, at_lesion, elsewhere, least, most, share }, summary };
  };
}

export default figure({
  label: "An eye, and where the attention looks", traits: ["span", "look", "picture", "stem"],
  hint: "Drag the lesion from 1 pixel to 20. Then make it dark.",
  build,
});
