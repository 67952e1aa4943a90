// The static page's stand-in for the widget machinery: a model with get, set and events, and figures that are loaded one by one.
import { join, makeDraggable } from "./links.js";

const NEAR = "600px";  // a figure this far below the screen is loaded
const REST = 1500;     // ms after the page has loaded: then the scripts of its other figures come too, since a print waits for none

function pageModel(state) {
  const listeners = {};
  return {
    shared() {},  // links.js puts in what tells the others
    has: (name) => Object.hasOwn(state, name),
    get: (name) => state[name],
    take(name, value) {
      state[name] = value;
      (listeners[`change:${name}`] ?? []).forEach((call) => call());
    },
    set(name, value) {
      this.take(name, value);
      this.shared(name, value);
    },
    save_changes() {},
    on(event, call) { (listeners[event] ??= []).push(call); },
    off(event, call) { listeners[event] = (listeners[event] ?? []).filter((other) => other !== call); },
  };
}

// `modules` are those at hand. `listed` is the version of the build, then the names of the scripts beside this one; each calls
// rankbook.define. A script element is all that a page from file:// may load, and the version keeps a browser from mixing two builds.
function loader(modules, listed) {
  const [version, ...names] = listed.split(" ");
  const here = document.currentScript.src, asked = {}, defined = {};
  window.rankbook = { load, define(name, needs, make) { defined[name] = { needs, make }; } };

  const run = (name) => new Promise((resolve, reject) => {
    if (!names.includes(name)) throw new Error(`no such module; have ${names.join(", ")}`);
    const script = document.createElement("script");
    script.src = new URL(`${name}.js?v=${version}`, here).href;
    script.onload = () => (defined[name] ? resolve(defined[name]) : reject(new Error(`${name}.js defines nothing`)));
    script.onerror = () => reject(new Error(`${name}.js cannot be loaded`));
    document.head.append(script);
  });

  async function make(name) {
    const definition = await run(name);
    modules[name] = definition.make(...await Promise.all(definition.needs.map(load)));
  }
  async function load(name) {
    if (!Object.hasOwn(modules, name)) await (asked[name] ??= make(name));
    return modules[name];
  }
  return load;
}

function mount(place, module) {
  if (place.dataset.ready || place.dataset.failed) return;
  const host = document.createElement("div"), fallback = [...place.childNodes];
  place.append(host);
  const model = pageModel(JSON.parse(place.dataset.state));
  try {
    module.render({ model, el: host });
  } catch (error) {
    host.remove();
    throw error;
  }
  fallback.forEach((node) => node.remove());
  place.dataset.ready = "1";
  if (place.dataset.link) join(place.dataset.link, model, place);
}

// One bad figure stops no other: its text stays, and the console says once which it is.
function guarded(place, attempt) {
  const failed = (error) => {
    if (place.dataset.failed) return;
    place.dataset.failed = "1";
    console.error(`live figure "${place.dataset.module}": ${error.message}`, error);
  };
  try {
    return Promise.resolve(attempt()).catch(failed);
  } catch (error) {
    return failed(error);
  }
}

export function start(modules, listed) {
  const load = loader(modules, listed);

  function go() {
    const places = [...document.querySelectorAll(".rb-live")];
    if (!places.length) return;
    const show = (place) => guarded(place, async () => mount(place, await load(place.dataset.module)));
    const observer = new IntersectionObserver((entries) => {
      entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
        observer.unobserve(target);
        show(target);
      });
    }, { rootMargin: NEAR });
    // A question is small, and its height must not change while the reader scrolls towards it: it mounts at once.
    const isQuestion = (place) => place.dataset.module === "predict";
    places.forEach((place) => (isQuestion(place) ? show(place) : observer.observe(place)));
    makeDraggable();

    const fetchAll = () => setTimeout(() => places.forEach((place) => load(place.dataset.module).catch(() => {})), REST);  // show() will tell
    if (document.readyState === "complete") fetchAll();
    else addEventListener("load", fetchAll);
    // A print takes the page as it is when this returns.
    addEventListener("beforeprint", () => places.forEach((place) => {
      const { module } = place.dataset;
      if (Object.hasOwn(modules, module)) guarded(place, () => mount(place, modules[module]));
      else show(place);
    }));
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", go);
  else go();
}
