// What moves by itself: news by server-sent events, or by polling where those do not get through;
// the regions of the page that show something else since; clocks. HTML comes from the server only and
// is put in by idiomorph, which keeps focus, caret, scroll position and open <details>. Whenever
// regions were renewed, the document gets the event "shown".
import { $, $$, base, parse, root, texts } from "./page.js";

// -- what a region shows, and when it must not move
const frozen = (region) =>
  $("dialog[open]") ||
  $("[data-pick]:checked", region) ||
  $(".more[open]", region) ||
  $("[data-filters][data-dirty]");
let paused = false;
export let stopped = false; // signed out: nothing is asked any more
let fetching = false;
let rest = 0; // no fetch before this moment
let waiting = new Set(); // kinds of regions to fetch when there is time
const changes = new Map(); // region name → changes it did not show

const shows = (kinds) => $$("[data-region]").filter((region) => kinds.has(region.dataset.live));
function chip(region) {
  const label = $(`[data-refresh="${region.dataset.region}"]`);
  const count = changes.get(region.dataset.region) ?? 0;
  if (!label) return;
  label.hidden = !count;
  $("button", label).textContent = texts.changes.replace("{n}", count.toLocaleString("en"));
}

async function refresh(regions) {
  if (!regions.length || stopped) return;
  fetching = true;
  const began = performance.now();
  try {
    const names = regions.map((region) => region.dataset.region);
    const answer = await fetch(location.href, { headers: { "X-Region": names.join(",") } });
    if (answer.status === 404) return location.reload(); // the job is done
    if (!understood(answer)) return;
    const page = parse(await answer.text());
    for (const name of names) {
      const now = $(`[data-region="${name}"]`);
      const then = $(`[data-region="${name}"]`, page);
      if (!now || !then || (frozen(now) && !now.dataset.free && now.dataset.live !== "operation")) continue;
      Idiomorph.morph(now, then, { callbacks: { beforeNodeMorphed: keep, beforeAttributeUpdated: keepOpen } });
      changes.delete(name);
      chip(now);
    }
    tick();
    document.dispatchEvent(new Event("shown"));
  } catch {
    say("lost");
  } finally {
    fetching = false;
    rest = performance.now() + 10 * (performance.now() - began); // slow pages are asked seldom
  }
}
const keep = (old) => !(old.matches?.("dialog, [data-keep]") ?? false);
const keepOpen = (name, element) => !(name === "open" && element.tagName === "DETAILS");

export function understood(answer) {
  if (answer.ok) return true;
  if (answer.status === 401 || answer.status === 403) deny();
  else if (answer.status >= 500) {
    say("lost");
    backoff = Math.min(backoff * 2, 60000);
  }
  return false;
}

function news({ kinds, changes: count, at, lost, note }) {
  if (at) $("#updated").textContent = at;
  if (lost !== undefined) tell(lost, note);
  for (const region of shows(new Set(kinds))) {
    if (!region.dataset.free && (paused || frozen(region)) && region.dataset.live !== "operation") {
      changes.set(region.dataset.region, (changes.get(region.dataset.region) ?? 0) + Math.max(count, 1));
      chip(region);
    } else waiting.add(region.dataset.region);
  }
  flush();
}
function tell(lost, note) {
  say(lost ? "lost" : paused ? "paused" : source ? "live" : "polling");
  root.toggleAttribute("data-stale", Boolean(lost));
  const banner = $("#lost");
  banner.hidden = !(lost || note);
  if (lost || note) $("span", banner).textContent = lost || note;
}
function flush() {
  if (fetching || !waiting.size || performance.now() < rest) return;
  const regions = [...waiting].map((name) => $(`[data-region="${name}"]`)).filter(Boolean);
  waiting = new Set();
  refresh(regions.filter((region) => region.dataset.free || !frozen(region) || region.dataset.live === "operation"));
}
setInterval(flush, 500);

// -- the stream, and polling where there is none
let source = null;
let failures = 0;
let backoff = 5000;
let poll = null;
export function say(state) {
  const live = $("#live");
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  $("[role=status]", live).textContent = texts[state];
}
export function connect() {
  if (stopped || source || poll || document.hidden || !document.body.dataset.events) return;
  if ("polls" in document.body.dataset) return pollSoon(0);
  source = new EventSource(new URL(document.body.dataset.events, location.href));
  source.addEventListener("pulse", (event) => {
    failures = 0;
    backoff = 5000;
    news(JSON.parse(event.data));
  });
  source.addEventListener("denied", deny);
  source.onerror = async () => {
    failures += 1;
    if (source?.readyState !== EventSource.CLOSED && failures < 2) return say("lost");
    disconnect();
    pollSoon(0); // learns the status, which EventSource does not tell
  };
}
function disconnect() {
  source?.close();
  source = null;
  clearTimeout(poll);
  poll = null;
}
function pollSoon(delay) {
  if (stopped || document.hidden) return;
  poll = setTimeout(async () => {
    const answer = await fetch(new URL("live", base)).catch(() => null);
    poll = null;
    if (stopped || document.hidden) return;
    if (answer && understood(answer)) {
      backoff = 5000;
      failures = 0;
      news(await answer.json());
      if (answer.headers.get("X-Stream") === "free") return connect();
    } else if (!stopped) {
      say("lost");
      if (!answer) backoff = Math.min(backoff * 2, 60000);
    }
    pollSoon(backoff);
  }, delay);
}
export function deny() {
  stopped = true;
  disconnect();
  say("denied");
  $("#denied").hidden = false;
}
export function pause(on = !paused) {
  paused = on;
  const button = $("#pause");
  button.setAttribute("aria-pressed", on);
  button.textContent = on ? texts.resume : texts.pause;
  say(on ? "paused" : source ? "live" : "polling");
  if (!on) refreshAll();
}
export function refreshAll() {
  changes.clear();
  $$("[data-refresh]").forEach((label) => (label.hidden = true));
  refresh($$("[data-region]").filter((region) => region.dataset.live));
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else connect();
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);

// -- clocks that tick without the network
const skew = Date.parse(document.body.dataset.now) - Date.now();
function span(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  for (const [size, unit, below, small] of [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]]) {
    if (seconds < size) continue;
    const rest = Math.floor((seconds % size) / below);
    const count = Math.floor(seconds / size);
    return rest && count < 10 ? `${count} ${unit} ${rest} ${small}` : `${count} ${unit}`;
  }
}
function tick() {
  const now = Date.now() + skew;
  for (const time of $$("time[data-rel]")) {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    if (Math.abs(seconds) < 1) time.textContent = texts.now;
    else time.textContent = (seconds > 0 ? texts[time.dataset.rel] : texts.ahead).replace("{t}", span(Math.abs(seconds)));
  }
}
setInterval(tick, 1000);
