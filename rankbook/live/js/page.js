// The static page's stand-in for the widget machinery: a model with get, set and events, and lazy mounting.
function pageModel(state) {
  const listeners = {};
  return {
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      (listeners[`change:${name}`] ?? []).forEach((call) => call());
    },
    save_changes() {},
    on(event, call) { (listeners[event] ??= []).push(call); },
    off(event, call) { listeners[event] = (listeners[event] ?? []).filter((other) => other !== call); },
  };
}

function mount(place, figures) {
  if (place.dataset.ready) return;
  const module = figures[place.dataset.module];
  if (!module) throw new Error(`live figure: no module "${place.dataset.module}"; have ${Object.keys(figures).join(", ")}`);
  const host = document.createElement("div");
  const fallback = [...place.childNodes];
  place.append(host);
  try {
    module.render({ model: pageModel(JSON.parse(place.dataset.state)), el: host });
  } catch (error) {
    host.remove();  // the text fallback stays
    throw error;
  }
  fallback.forEach((node) => node.remove());
  place.dataset.ready = "1";
}

export function start(figures, css) {
  function go() {
    const places = [...document.querySelectorAll(".rb-live")];
    if (!places.length) return;
    const style = document.createElement("style");
    style.textContent = css;
    document.head.prepend(style);  // first, so that the page's own style sheet has the last word
    const observer = new IntersectionObserver((entries) => {
      entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
        observer.unobserve(target);
        mount(target, figures);
      });
    }, { rootMargin: "600px" });
    places.forEach((place) => observer.observe(place));
    addEventListener("beforeprint", () => places.forEach((place) => mount(place, figures)));
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", go);
  else go();
}
