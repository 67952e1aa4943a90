// Reading aids: cards over cross-references, keys, and what has been read. No library; the only request is for MathJax.
"use strict";
(() => {
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href).href;
  const find = (place) => document.querySelector(place);
  const article = find("article.bd-article");

  // The theme's handler of a folded title throws at a click on a link or a formula in it. It is bound later than this script runs.
  const { toggleClickHandler: toggle } = window;
  window.toggleClickHandler = (click) => click.target.closest("a") || toggle({ target: click.currentTarget });

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const name in attributes) made.setAttribute(name, attributes[name]);
    made.append(...children);
    return made;
  }

  // What is remembered stays on this machine; where the browser refuses, nothing is, and nothing breaks.
  const attempt = (act) => {
    try {
      return act();
    } catch {
      return null;
    }
  };
  const recall = (name) => attempt(() => JSON.parse(localStorage.getItem(`rankbook.${name}`)));
  const remember = (name, value) => attempt(() => localStorage.setItem(`rankbook.${name}`, JSON.stringify(value)));
  const remembers = attempt(() => localStorage.length) !== null;

  // --- Cards. book/_ext/reading_aids.py puts what the links of a page lead to into <template data-for="the link's href">.
  const HOVER = 250; // ms until a card comes under the mouse, and until it goes
  const EDGE = 8; // px between a card and the edge of the screen
  const GAP = 4; // px between a card and its link

  async function typeset(copy) {
    if (!find("script[src*='mathjax/']")) {
      // a page without mathematics of its own
      const script = element("script", { src: `${root}_static/mathjax/tex-chtml.js` });
      await new Promise((done) => (script.onload = done) && document.head.append(script));
    }
    if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done));
    await MathJax.startup.promise;
    await MathJax.typesetPromise([copy]);
    fit(copy);
  }

  // An equation that is too wide gets smaller rather than cut, down to `least` percent.
  function fit(part, least = 0) {
    for (const box of part.querySelectorAll("div.math > *")) {
      box.parentNode.style.fontSize = "";
      const share = box.clientWidth / box.scrollWidth;
      if (share < 1) box.parentNode.style.fontSize = `${Math.max(least, Math.floor(98 * share))}%`;
    }
  }

  function cards() {
    const templates = new Map([...document.querySelectorAll("#rb-previews template")].map((each) => [each.dataset.for, each]));
    if (!article || !templates.size) return;
    const body = element("div", { id: "rb-card-body", class: "rb-card-body", role: "tooltip" });
    const go = element("a", { class: "rb-card-go" }, "Go there");
    const card = element("div", { class: "rb-card", hidden: "" }, body, go);
    article.append(card);

    const copies = new Map(); // of the templates that were shown, by address, as promises
    let shown = null; // the link whose card is open
    let wanted = null; // the link whose card the mouse waits for
    let timer = 0;
    let pointer = ""; // what pressed last: "mouse", "touch", "pen", or "" after a key

    function linkAt(target) {
      const link = target.closest?.("a[href]:not(.headerlink)");
      return link && article.contains(link) && !card.contains(link) && templates.has(link.getAttribute("href")) ? link : null;
    }

    function hide() {
      clearTimeout(timer);
      shown?.removeAttribute("aria-describedby");
      shown = wanted = null;
      card.hidden = true;
    }

    async function fill(address) {
      const copy = element("div", {}, templates.get(address).content.cloneNode(true));
      body.replaceChildren(copy); // MathJax measures what it typesets
      if (copy.querySelector(".math")) await typeset(copy).catch(() => {}); // better raw than none
      await Promise.all([...copy.querySelectorAll("img")].map((picture) => picture.decode().catch(() => {})));
      return copy;
    }

    async function show(link, by) {
      if (shown === link) return;
      hide();
      shown = wanted = link;
      link.removeAttribute("title"); // the browser's own tooltip would lie over the card
      link.setAttribute("aria-describedby", body.id);
      card.dataset.by = by;
      card.classList.remove("rb-card-in");
      card.hidden = false;
      go.href = link.href;
      const address = link.getAttribute("href");
      if (!copies.has(address)) copies.set(address, fill(address));
      const copy = await copies.get(address);
      if (shown !== link) return;
      body.replaceChildren(copy);
      place(link);
      card.classList.add("rb-card-in");
    }

    // Below the link or above it, where there is more room, and never beyond the screen; a link may fill two lines.
    function place(link) {
      const lines = [...link.getClientRects()];
      const { clientWidth, clientHeight } = document.documentElement;
      const above = lines[0].top - GAP;
      const below = clientHeight - lines.at(-1).bottom - GAP;
      const under = card.scrollHeight < below || below > above;
      card.style.maxHeight = `${Math.max(under ? below : above, 160) - EDGE}px`;
      const left = Math.max(EDGE, Math.min(lines[0].left, clientWidth - card.offsetWidth - EDGE));
      const top = under ? lines.at(-1).bottom + GAP : above - card.offsetHeight;
      const origin = card.offsetParent.getBoundingClientRect();
      card.style.left = `${left - origin.left}px`;
      card.style.top = `${top - origin.top}px`;
    }

    document.addEventListener("pointerover", ({ target, pointerType }) => {
      if (pointerType === "touch") return;
      const link = card.contains(target) ? shown : linkAt(target);
      if (link === wanted || (!link && shown && card.dataset.by !== "mouse")) return; // the mouse closes only what it opened
      wanted = link;
      clearTimeout(timer);
      if (link !== shown) timer = setTimeout(() => (link ? show(link, "mouse") : hide()), HOVER);
    });
    document.addEventListener("focusin", ({ target }) => {
      if (!pointer && linkAt(target)) show(linkAt(target), "keys");
    });
    document.addEventListener("focusout", ({ target }) => {
      if (target === shown && card.dataset.by === "keys") hide();
    });
    document.addEventListener("pointerdown", ({ target, pointerType }) => {
      pointer = pointerType;
      if (!card.contains(target) && linkAt(target) !== shown) hide();
    });
    document.addEventListener("keydown", ({ key }) => {
      pointer = "";
      if (key === "Escape") hide();
    });
    const click = (event) => {
      const link = linkAt(event.target);
      if (link && link !== shown && pointer === "touch" && event.detail) {
        event.preventDefault(); // the first tap shows, the second follows
        event.stopPropagation(); // and it folds nothing that the link stands in
        show(link, "touch");
      } else if (link || event.target === go) hide();
    };
    document.addEventListener("click", click, true);
    addEventListener("resize", hide);
    for (const link of article.querySelectorAll("a")) if (linkAt(link)) link.classList.add("rb-has-card");
  }

  // --- Keys: n and p turn the page, ? lists them. Letters can be in the way of speech input, so they can be turned off.
  const ELSEWHERE = "input, textarea, select, [contenteditable]:not([contenteditable='false']), [role='slider'], .rb-live";

  function keys() {
    const turns = { n: find("a.right-next"), p: find("a.left-prev"), "/": find(".search-button__button") };
    const title = (key) => turns[key]?.querySelector(".prev-next-title").textContent.trim();
    const meanings = {
      n: title("n") && `next: ${title("n")}`,
      p: title("p") && `previous: ${title("p")}`,
      "/": "search",
      Esc: "close a card, or this list",
      "?": "this list",
    };
    const rows = Object.entries(meanings).flatMap(([key, meaning]) =>
      meaning ? [element("dt", {}, element("kbd", {}, key)), element("dd", {}, meaning)] : [],
    );
    const on = element("input", { type: "checkbox" });
    const close = element("button", { type: "button", class: "rb-quiet" }, "Close");
    const parts = [element("h2", {}, "Keys"), element("dl", {}, ...rows), element("label", {}, on, "n, p, / and ? are on"), close];
    const dialog = element("dialog", { class: "rb-keys", "aria-label": "Keys" }, ...parts);
    document.body.append(dialog);

    function name() {
      for (const [key, link] of Object.entries(turns)) {
        if (!link) continue;
        link.title = link.title.replace(/ \(key .\)$/, "") + (on.checked ? ` (key ${key})` : "");
        link.ariaKeyShortcuts = on.checked ? key : null;
      }
    }
    on.checked = recall("keys") !== false;
    name();
    on.addEventListener("change", () => {
      remember("keys", on.checked);
      name();
    });
    close.addEventListener("click", () => dialog.close());
    document.addEventListener("keydown", (event) => {
      if (!on.checked || event.defaultPrevented || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
      if (find("dialog[open]")) return;
      // A dialog that has just closed can hold the focus until the page is drawn again.
      if (event.target.closest?.(ELSEWHERE) && !event.target.closest("dialog")) return;
      if (event.key === "?") dialog.showModal();
      else if (turns[event.key]) {
        event.preventDefault(); // the slash is not the first letter of the search
        turns[event.key].click();
      }
    });
    return () => dialog.showModal();
  }

  // --- What has been read: a chapter whose last section was in view after the page had been open, and seen, for a while.
  const WHILE = 30; // seconds
  const CHAPTER = /^\s*\d+\./; // chapters have a number in the contents, the back matter has none

  function reading(showKeys) {
    const contents = find(".bd-sidebar-primary .bd-links");
    if (!contents) return;
    const page = DOCUMENTATION_OPTIONS.pagename;
    const leadsTo = (link) => (link.getAttribute("href") === "#" ? page : link.href.replace(root, "").replace(/(\.html)?([?#].*)?$/, ""));
    const entries = [...contents.querySelectorAll("a.internal")].filter((link) => CHAPTER.test(link.textContent));
    const chapters = new Set(entries.map(leadsTo));
    const inMap = contents.querySelector(".bd-sidenav__home-link .current") ? article.querySelectorAll("table a.internal") : [];
    const map = [...inMap].filter((link) => chapters.has(leadsTo(link))); // on the first page
    const readSoFar = () => [recall("read")].flat().filter((name) => chapters.has(name));

    const count = element("span", { role: "status" });
    const forget = element("button", { type: "button", class: "rb-quiet" }, "forget");
    const list = element("button", { type: "button", class: "rb-quiet", title: "Keys (?)" }, "keys");

    function paint() {
      const read = readSoFar();
      for (const link of [...entries, ...map]) {
        link.querySelector(".rb-read")?.remove();
        const tick = element("span", { class: "rb-read", role: "img", "aria-label": ", read" }, "\u00a0✓");
        if (read.includes(leadsTo(link))) link.append(tick);
      }
      count.textContent = `${read.length} of ${chapters.size} chapters read`;
      forget.disabled = !read.length;
    }

    paint();
    contents.after(element("div", { class: "rb-reading" }, ...(remembers ? [element("span", {}, count, " · ", forget)] : []), list));
    list.addEventListener("click", showKeys);
    forget.addEventListener("click", () => {
      remember("read", []);
      paint();
    });
    addEventListener("storage", paint); // another tab
    addEventListener("pageshow", paint); // back, from the browser's memory

    const end = article?.querySelector(":scope > section > section:last-of-type");
    if (!remembers || !end || !chapters.has(page) || readSoFar().includes(page)) return;
    let open = 0;
    const clock = setInterval(() => {
      if (document.visibilityState !== "visible") return;
      const { top, bottom } = end.getBoundingClientRect();
      if (++open < WHILE || top > innerHeight || bottom < 0) return;
      clearInterval(clock);
      remember("read", [...readSoFar(), page]);
      paint();
    }, 1000);
  }

  async function fitPage() {
    await window.MathJax?.startup?.promise;
    fit(article, 60);
  }

  cards();
  reading(keys());
  if (article) for (const change of ["load", "resize"]) addEventListener(change, fitPage);
})();
