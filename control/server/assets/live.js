// Keeps a page as new as the service, and its rows within reach of the keyboard. Pages work without it.
"use strict";
(() => {
  const status = document.getElementById("live");
  if (!status) return;

  // Bursts of events become one reading of the page.
  const GATHER_MS = 400;
  // What a person decides at the command line rings no bell: the page looks for itself now and then.
  const LOOK_MS = 60000;
  // After a refusal an EventSource does not come again by itself.
  const AGAIN_MS = 30000;

  const say = (state, text) => {
    if (status.dataset.state === state && status.textContent === text) return;
    status.dataset.state = state;
    status.textContent = text;
  };

  const place = (element) => {
    const row = element.closest("[data-row]");
    if (!row) return element.id ? () => document.getElementById(element.id) : () => null;
    const links = [...row.querySelectorAll("a, summary, pre")];
    const at = links.indexOf(element);
    const key = CSS.escape(row.dataset.row);
    return () => {
      const found = document.querySelector(`[data-row="${key}"]`);
      return found && [...found.querySelectorAll("a, summary, pre")][at];
    };
  };

  // What a row says, without its ages: those change by themselves.
  const words = (row) => {
    const copy = row.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
    return copy.textContent;
  };

  const exchange = (old, fresh) => {
    const before = new Map([...old.querySelectorAll("[data-row]")].map((it) => [it.dataset.row, words(it)]));
    const open = new Set([...old.querySelectorAll("details[open]")].map((it) => it.closest("[data-row]")?.dataset.row));
    const news = [];
    for (const row of fresh.querySelectorAll("[data-row]")) {
      if (before.get(row.dataset.row) !== words(row)) {
        row.classList.add("news");
        news.push(row.dataset.row);
      }
      if (open.has(row.dataset.row)) for (const it of row.querySelectorAll("details")) it.open = true;
    }
    const scrolled = old.querySelector(".scroll")?.scrollLeft ?? 0;
    const focus = old.contains(document.activeElement) ? place(document.activeElement) : null;
    old.replaceWith(fresh);
    const scroll = fresh.querySelector(".scroll");
    if (scroll) scroll.scrollLeft = scrolled;
    if (focus) (focus() ?? document.getElementById("main")).focus({ preventScroll: true });
    return news;
  };

  let timer = 0;
  let reading = false;
  let again = false;
  const read = async () => {
    timer = 0;
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
      if (answer.type === "opaqueredirect") return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const news = [];
      for (const old of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(old.id);
        if (fresh) news.push(...exchange(old, document.adoptNode(fresh)));
      }
      if (news.length > 0) {
        const named = news.slice(0, 3).join(", ");
        const more = news.length > 3 ? ` and ${news.length - 3} more` : "";
        say("live", `Live: ${named}${more} changed`);
      } else if (status.dataset.state !== "live") {
        say("live", "Live");
      }
    } catch {
      say("lost", "Not live: the service does not answer");
    } finally {
      reading = false;
      if (again) {
        again = false;
        soon();
      }
    }
  };
  const soon = () => {
    if (timer === 0) timer = setTimeout(read, GATHER_MS);
  };

  let begun = false;
  const listen = () => {
    const source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => {
      say("live", "Live");
      if (begun) soon();
      begun = true;
    });
    source.addEventListener("heard", soon);
    source.addEventListener("missed", soon);
    source.addEventListener("error", () => {
      say("lost", "Not live: trying again");
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  };
  listen();
  setInterval(() => {
    if (!document.hidden) soon();
  }, LOOK_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) soon();
  });

  const rows = () => [...document.querySelectorAll(".rows [data-row], .timeline [data-row]")];
  const move = (by) => {
    const all = rows();
    const here = document.activeElement?.closest("[data-row]");
    const at = here ? all.indexOf(here) + by : by > 0 ? 0 : all.length - 1;
    all[Math.max(0, Math.min(all.length - 1, at))]?.querySelector("a, summary")?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, button, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const filter = document.getElementById("filter");
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/" && filter) filter.focus();
    else return;
    event.preventDefault();
  });
  const keys = document.getElementById("keys");
  if (keys) keys.hidden = false;
})();
