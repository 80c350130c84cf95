// Keeps a page as new as the service, and its rows within reach of the keyboard. Pages work without it.
"use strict";
(() => {
  const status = document.getElementById("live");
  if (!status) return;

  // Bursts of events become one reading of the page.
  const GATHER_MS = 400;
  // A service that answers slowly is asked seldom: a page takes a tenth of its time at most.
  const REST = 9;
  const REST_MS_MAX = 60000;
  // An answer that takes longer does not come.
  const ANSWER_MS_MAX = 30000;
  // What a person decides at the command line rings no bell: the page looks for itself now and then.
  const LOOK_MS = 60000;
  // After a refusal an EventSource does not come again by itself.
  const AGAIN_MS = 30000;
  // A text that somebody selects is not taken away under their hand.
  const SELECTED_MS = 1000;
  // All pages of a browser share one source: it has six connections to a service, and no more.
  const SHARED = "bowline-events";

  const say = (state, text) => {
    if (status.dataset.state === state && status.textContent === text) return;
    status.dataset.state = state;
    status.textContent = text;
  };

  // What a person chose, for all pages of this browser; a browser that keeps nothing forgets it.
  const recall = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  };
  const keep = (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {}
  };

  const place = (element) => {
    if (element.id) return () => document.getElementById(element.id);
    const row = element.closest("[data-row]");
    const region = element.closest("[data-live]");
    const all = (within) => [...within.querySelectorAll("a, summary, pre")];
    const at = all(row ?? region).indexOf(element);
    const name = row ? `[data-row="${CSS.escape(row.dataset.row)}"]` : `#${CSS.escape(region.id)}`;
    return () => {
      const found = document.querySelector(name);
      return found && all(found)[at];
    };
  };

  // What a row says, without its ages: those change by themselves.
  const words = (row) => {
    const copy = row.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
    return copy.textContent;
  };

  const isSelected = (region) => {
    const selection = getSelection();
    return selection.rangeCount > 0 && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(region);
  };

  const exchange = (old, fresh) => {
    const before = new Map([...old.querySelectorAll("[data-row]")].map((it) => [it.dataset.row, words(it)]));
    const news = [];
    for (const row of fresh.querySelectorAll("[data-row]")) {
      if (before.get(row.dataset.row) !== words(row)) {
        row.classList.add("news");
        news.push(row.dataset.row);
      }
    }
    const scrolled = new Map([...old.querySelectorAll(".scroll")].map((it) => [it.id, it.scrollLeft]));
    const focus = old.contains(document.activeElement) ? place(document.activeElement) : null;
    old.replaceWith(fresh);
    for (const scroll of fresh.querySelectorAll(".scroll")) scroll.scrollLeft = scrolled.get(scroll.id) ?? 0;
    if (focus) (focus() ?? document.getElementById("main")).focus({ preventScroll: true });
    return news;
  };

  // A part that was not there when the page was loaded comes behind the one before it.
  const insert = (fresh) => {
    let before = fresh.previousElementSibling;
    while (before && !(before.id && document.getElementById(before.id))) before = before.previousElementSibling;
    if (before) document.getElementById(before.id).after(document.adoptNode(fresh));
  };

  const pause = document.getElementById("pause");
  let paused = false;
  let timer = 0;
  let restUntil = 0;
  let reading = false;
  let again = false;
  const soon = (wait = GATHER_MS) => {
    if (paused || document.hidden) return;
    if (timer === 0) timer = setTimeout(read, Math.max(wait, restUntil - performance.now()));
  };
  const tell = (news) => {
    if (paused) return;
    if (news.length > 0) {
      const named = news.slice(0, 3).join(", ");
      const more = news.length > 3 ? ` and ${news.length - 3} more` : "";
      say("live", `Live: ${named}${more} changed`);
    } else if (status.dataset.state !== "live") {
      say("live", "Live");
    }
  };
  const read = async () => {
    timer = 0;
    if (paused || document.hidden) return;
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    const begun = performance.now();
    let late = false;
    try {
      const asked = { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS_MAX) };
      const answer = await fetch(location.href, asked);
      if (answer.type === "opaqueredirect") return location.reload();
      if (!answer.ok) {
        if (!paused) say("lost", `Not live: the service answers ${answer.status}`);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (paused) return;
      // Before those that are there leave the page that was read: their places are known by them. The last first.
      for (const fresh of [...page.querySelectorAll("[data-live]")].reverse()) {
        if (!document.getElementById(fresh.id)) insert(fresh);
      }
      const news = [];
      for (const old of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(old.id);
        if (!fresh) continue;
        if (isSelected(old)) late = true;
        else news.push(...exchange(old, document.adoptNode(fresh)));
      }
      tell(news);
    } catch {
      if (!paused) say("lost", "Not live: the service does not answer");
    } finally {
      reading = false;
      const took = performance.now() - begun;
      restUntil = performance.now() + Math.min(took * REST, REST_MS_MAX);
      if (late) soon(SELECTED_MS);
      else if (again) soon();
      again = false;
    }
  };

  // What the source says, wherever in this browser it is open: "live", "lost" or "heard".
  const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(SHARED) : null;
  let standing = "lost";
  let wasLive = false;
  const hear = (said) => {
    if (said === "heard") return soon();
    standing = said;
    if (paused) return;
    if (said === "lost") return say("lost", "Not live: trying again");
    if (status.dataset.state !== "live") say("live", "Live");
    if (wasLive) soon();
    wasLive = true;
  };
  let source = null;
  let retry = 0;
  const spread = (said) => {
    channel?.postMessage(said);
    hear(said);
  };
  const open = () => {
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => spread("live"));
    source.addEventListener("heard", () => spread("heard"));
    source.addEventListener("missed", () => spread("heard"));
    source.addEventListener("error", () => {
      spread("lost");
      if (source?.readyState === EventSource.CLOSED) retry = setTimeout(open, AGAIN_MS);
    });
  };
  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = null;
  };
  channel?.addEventListener("message", ({ data }) => {
    if (data === "who") {
      if (source) channel.postMessage(standing);
    } else if (!source && !document.hidden) {
      hear(data);
    }
  });

  // One page that somebody sees holds the source; the next takes it over when that page is hidden or left.
  let leave = null;
  const join = () => {
    if (leave || document.hidden) return;
    if (!navigator.locks || !channel) {
      open();
      leave = close;
      return;
    }
    const waiting = new AbortController();
    let release = () => {};
    const stay = () =>
      new Promise((done) => {
        release = done;
        open();
      });
    navigator.locks.request(SHARED, { signal: waiting.signal }, stay).catch(() => {});
    channel.postMessage("who");
    leave = () => {
      waiting.abort();
      close();
      release();
    };
  };
  const part = () => {
    leave?.();
    leave = null;
  };
  addEventListener("pagehide", part);
  addEventListener("pageshow", join);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return part();
    join();
    soon();
  });
  join();
  setInterval(() => soon(), LOOK_MS);

  const hold = (on) => {
    paused = on;
    pause.setAttribute("aria-pressed", String(on));
    if (on) {
      clearTimeout(timer);
      timer = 0;
      say("still", "Paused: nothing changes by itself");
    } else {
      say(standing, standing === "live" ? "Live" : "Not live: trying again");
      soon();
    }
  };
  pause.hidden = false;
  pause.addEventListener("click", () => {
    hold(!paused);
    keep("bowline-pause", paused ? "on" : "off");
  });
  if (recall("bowline-pause") === "on") hold(true);

  const rows = () => [...document.querySelectorAll(".rows [data-row], .timeline [data-row]")];
  const move = (by) => {
    const all = rows();
    const here = document.activeElement?.closest("[data-row]");
    const at = here ? all.indexOf(here) + by : by > 0 ? 0 : all.length - 1;
    all[Math.max(0, Math.min(all.length - 1, at))]?.querySelector("a, summary")?.focus();
  };
  const shortcuts = document.getElementById("shortcuts");
  let lettersCount = recall("bowline-letters") !== "off";
  const show = () => shortcuts.setAttribute("aria-pressed", String(lettersCount));
  shortcuts.addEventListener("click", () => {
    lettersCount = !lettersCount;
    keep("bowline-letters", lettersCount ? "on" : "off");
    show();
  });
  show();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (!lettersCount) return;
    const filter = document.getElementById("filter");
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/" && filter) filter.focus();
    else return;
    event.preventDefault();
  });
  document.getElementById("keys").hidden = false;
})();
