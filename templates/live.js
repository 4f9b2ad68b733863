// Keeps the page true: when something it shows changes, the page is fetched again and its <main> replaced, with what the
// person has open, has focused and has written left as it is. Without this script a page under way loads itself again.
"use strict";
(() => {
  const main = () => document.getElementById("main");
  const topics = (main().dataset.live || "").split(" ").filter(Boolean);
  if (topics.length === 0 || !("EventSource" in window)) return;
  const QUIET_MS = 400;
  const AGAIN_MS = 10000;
  const status = document.getElementById("live");
  let source = null, waiting = null, fetching = false, stale = false, last = null;

  // A topic is a kind of change (`run`), or all that is about one run (`run:run_…`).
  const concerns = (change) =>
    topics.includes(change.kind) || (change.run && topics.includes("run:" + change.run));

  // How to find an element again in the page's next version: by its id, or by its place among its kind.
  const place = (element) => {
    if (!element || element === main() || !main().contains(element)) return null;
    if (element.id) return () => document.getElementById(element.id);
    const name = element.tagName.toLowerCase();
    const at = [...main().querySelectorAll(name)].indexOf(element);
    const text = element.textContent;
    return () => {
      const all = [...main().querySelectorAll(name)];
      return all[at] && all[at].textContent === text ? all[at] : all.find((one) => one.textContent === text) || all[at];
    };
  };

  const isWriting = () => {
    const element = document.activeElement;
    return main().contains(element) && /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName);
  };

  const replace = (html) => {
    const next = new DOMParser().parseFromString(html, "text/html");
    const fresh = next.getElementById("main");
    if (!fresh || fresh.innerHTML === main().innerHTML) return;
    const focused = place(document.activeElement);
    const opened = [...main().querySelectorAll("details")].map((one) => [one.querySelector("summary")?.textContent, one.open]);
    const scrolled = [...main().querySelectorAll(".wide")].map((one) => one.scrollLeft);
    const [x, y] = [window.scrollX, window.scrollY];
    main().replaceChildren(...document.adoptNode(fresh).childNodes);
    document.title = next.title;
    for (const one of main().querySelectorAll("details")) {
      const was = opened.find(([text]) => text === one.querySelector("summary")?.textContent);
      if (was) one.open = was[1];
    }
    [...main().querySelectorAll(".wide")].forEach((one, at) => { one.scrollLeft = scrolled[at] || 0; });
    if (focused) focused()?.focus({ preventScroll: true });
    window.scrollTo(x, y);
    const said = main().querySelector("[data-says]")?.dataset.says || "The page was updated.";
    if (said !== last) status.textContent = last = said;
  };

  const refresh = async () => {
    waiting = null;
    // What somebody is writing is not taken from under their hands.
    if (fetching || isWriting()) { stale = true; return; }
    fetching = true;
    stale = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) location.reload();
      else if (answer.ok && !isWriting()) replace(await answer.text());
      else stale = true;
    } catch { stale = true; }
    fetching = false;
    if (stale && !isWriting()) soon(AGAIN_MS);
  };
  const soon = (ms) => { if (waiting === null) waiting = setTimeout(refresh, ms); };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource("/api/v1/events");
    source.addEventListener("change", (event) => { if (concerns(JSON.parse(event.data))) soon(QUIET_MS); });
    source.addEventListener("reset", () => soon(0));
    source.addEventListener("error", () => {
      // A browser gives up on an answer that is no stream: no room, or no session any more, which the page then tells.
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        soon(AGAIN_MS);
        setTimeout(open, AGAIN_MS);
      }
    });
  };
  const close = () => { if (source) source.close(); source = null; };

  // A page that nobody looks at holds no connection: browsers allow six to a host.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  document.addEventListener("focusout", () => { if (stale) soon(QUIET_MS); });
  open();
})();
