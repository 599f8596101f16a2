// The one script of the pages. It adds to pages that work without it: news by server-sent events,
// dialogs instead of pages of their own, selection, keys, clocks. All texts are in the page
// (#texts); HTML comes from the server only and is put in by idiomorph, which keeps focus, caret,
// scroll position and open <details>.
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const root = document.documentElement;
const texts = $("#texts").dataset;
const policy = globalThis.trustedTypes?.createPolicy("graphile-worker", { createHTML: (html) => html });
const parse = (html) =>
  new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");
const base = new URL(document.body.dataset.base, location.href);
const home = new URL(document.body.dataset.home, location.href); // of all schemas

// -- settings of this browser: cookies, so that the server draws the page right the first time
const cookie = (name, value) => {
  document.cookie = `gw_${name}=${encodeURIComponent(value)};path=${home.pathname};max-age=31536000;samesite=lax`;
};
const keysOn = () => root.dataset.keys !== "off";
cookie("zone", Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC");
function setTheme(theme) {
  root.dataset.theme = theme;
  cookie("theme", theme);
  $$("[data-setting=theme]").forEach((select) => (select.value = theme));
}
document.addEventListener("change", ({ target }) => {
  const name = target.dataset.setting;
  if (!name) return;
  cookie(name, target.value);
  if (name === "clock") location.reload();
  else root.dataset[name] = target.value;
});

// -- what a region shows, and when it must not move
const frozen = (region) =>
  $("dialog[open]") ||
  $("[data-pick]:checked", region) ||
  $(".more[open]", region) ||
  $("[data-filters][data-dirty]");
let paused = false;
let stopped = false; // signed out: nothing is asked any more
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
    if (!status(answer)) return;
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
    mark();
  } catch {
    say("lost");
  } finally {
    fetching = false;
    rest = performance.now() + 10 * (performance.now() - began); // slow pages are asked seldom
  }
}
const keep = (old) => !(old.matches?.("dialog, [data-keep]") ?? false);
const keepOpen = (name, element) => !(name === "open" && element.tagName === "DETAILS");

function status(answer) {
  if (answer.ok) return true;
  if (answer.status === 401 || answer.status === 403) deny();
  else if (answer.status >= 500) {
    say("lost");
    backoff = Math.min(backoff * 2, 60000);
  }
  return false;
}

function news({ kinds, changes: count, at, lost }) {
  if (at) $("#updated").textContent = at;
  say(lost ? "lost" : paused ? "paused" : source ? "live" : "polling");
  root.toggleAttribute("data-stale", Boolean(lost));
  const banner = $("#lost");
  banner.hidden = !lost;
  if (lost) $("span", banner).textContent = lost;
  for (const region of shows(new Set(kinds))) {
    if (!region.dataset.free && (paused || frozen(region)) && region.dataset.live !== "operation") {
      changes.set(region.dataset.region, (changes.get(region.dataset.region) ?? 0) + Math.max(count, 1));
      chip(region);
    } else waiting.add(region.dataset.region);
  }
  flush();
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
function say(state) {
  const live = $("#live");
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  $("[role=status]", live).textContent = texts[state];
}
function connect() {
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
    if (answer && status(answer)) {
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
function deny() {
  stopped = true;
  disconnect();
  say("denied");
  $("#denied").hidden = false;
}
function pause(on = !paused) {
  paused = on;
  const button = $("#pause");
  button.setAttribute("aria-pressed", on);
  button.textContent = on ? texts.resume : texts.pause;
  say(on ? "paused" : source ? "live" : "polling");
  if (!on) refreshAll();
}
function refreshAll() {
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

// -- dialogs: a link with data-dialog opens the panel of the page it leads to
const dialog = $("#dialog");
async function open(url) {
  const answer = await fetch(url, { headers: { "X-Region": "dialog" } });
  if (!status(answer) && answer.status < 500 && stopped) return;
  fill(parse(await answer.text()));
  if (!dialog.open) dialog.showModal();
  ($("[autofocus]", dialog) ?? $("button, input, a", dialog))?.focus();
}
function fill(page) {
  const content = $("[data-region=dialog]", page);
  if (content) Idiomorph.morph(dialog, content.cloneNode(true), { morphStyle: "innerHTML" });
  else location.reload();
}
async function send(form, button) {
  const data = new FormData(form, button);
  $$("button", form).forEach((one) => (one.disabled = true));
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(data), headers: { "X-Region": "dialog" },
    });
    if (answer.status === 401) return deny();
    if (answer.redirected) return location.assign(answer.url);
    const page = parse(await answer.text());
    const report = $("[data-report]", page);
    if (!report) return fill(page);
    if (dialog.open) dialog.close();
    toast(report);
    $$("[data-pick]:checked").forEach((box) => (box.checked = false));
    mark();
    refreshAll();
  } catch {
    say("lost");
  } finally {
    $$("button", form).forEach((one) => (one.disabled = false));
  }
}
function toast(report) {
  const box = document.createElement("div");
  box.className = `toast ${report.dataset.report}`;
  box.append(...report.cloneNode(true).childNodes);
  const close = document.createElement("button");
  close.textContent = texts.dismiss;
  close.type = "button";
  close.onclick = () => box.remove();
  box.append(close);
  $("#toasts").append(box);
  if (report.dataset.report === "done") setTimeout(() => box.remove(), 8000);
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("data-send")) {
    event.preventDefault();
    send(form, event.submitter);
  } else if (form.matches("[data-filters]")) {
    delete form.dataset.dirty;
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  } else if (event.submitter?.hasAttribute("data-dialog")) {
    event.preventDefault();
    const to = event.submitter.getAttribute("formaction") ?? form.getAttribute("action");
    const url = new URL(to, location.href);
    url.search = new URLSearchParams(new FormData(form, event.submitter));
    open(url);
  }
});

// -- clicks, selection
document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector);
  const link = at("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    open(link.href);
  } else if (at("[data-close]")) {
    event.preventDefault();
    dialog.close();
  } else if (at("#pause")) pause();
  else if (at("[data-refresh] button")) {
    $$("[data-pick]:checked").forEach((box) => (box.checked = false));
    mark();
    refreshAll();
  } else if (at("[data-copy]")) {
    event.preventDefault();
    copy(at("[data-copy]"));
  }
  else if (at("#keys")) help();
  for (const menu of $$(".more[open], .menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
dialog.addEventListener("close", () => dialog.replaceChildren());
document.addEventListener("input", ({ target }) => {
  target.closest("[data-filters]")?.setAttribute("data-dirty", "");
});
document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-pick-all]")) $$("[data-pick]").forEach((box) => (box.checked = target.checked));
  if (target.matches("[data-pick], [data-pick-all]")) mark();
});
function mark() {
  const picked = $$("[data-pick]:checked");
  $$("[data-pick]").forEach((box) => box.closest("tr").classList.toggle("picked", box.checked));
  $$("[data-count]").forEach((label) => (label.textContent = texts.picked.replace("{n}", picked.length)));
  const all = $("[data-pick-all]");
  if (all) all.indeterminate = picked.length > 0 && picked.length < $$("[data-pick]").length;
  if (all && !picked.length) all.checked = false;
}
async function copy(button) {
  const from = button.dataset.copy;
  const text = from ? $$(from).map((one) => one.value ?? one.textContent).join("\n") : await (await fetch(button.href)).text();
  try {
    await navigator.clipboard.writeText(text);
  } catch { // plain HTTP: the old way
    const area = document.createElement("textarea");
    area.value = text;
    (dialog.open ? dialog : document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const label = (button.dataset.label ??= button.textContent); // clicked twice, it says "Copied"
  button.textContent = texts.copied;
  setTimeout(() => (button.textContent = label), 1500);
}

// -- keys
let going = false;
const rows = () => $$("main tbody tr").filter((row) => $("a", row));
function step(by) {
  const all = rows();
  const at = all.findIndex((row) => row.classList.contains("here"));
  all[at]?.classList.remove("here");
  const next = all[Math.max(0, Math.min(all.length - 1, at + by))];
  next?.classList.add("here");
  $("a", next)?.focus();
}
function help() {
  fill($("#help").content);
  dialog.showModal();
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea");
  if (!keysOn() || typing || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  const { key } = event;
  if (going) {
    going = false;
    $(`nav.side a[data-key="${CSS.escape(key)}"]`)?.click();
    return;
  }
  const act = {
    g: () => (going = true),
    "/": () => $("#jump").focus(),
    j: () => step(1),
    k: () => step(-1),
    x: () => $("tr.here [data-pick]")?.click(),
    r: refreshAll,
    p: () => pause(),
    t: () => setTheme(dark() ? "light" : "dark"),
    "?": help,
  }[key];
  if (act) {
    event.preventDefault();
    act();
  }
});
const dark = () =>
  root.dataset.theme === "dark" ||
  (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);

// -- clocks that tick without the network, and the value under the pointer in a chart
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
document.addEventListener("pointermove", ({ target, clientX }) => {
  const svg = target.closest?.(".chart svg");
  $$(".tip").forEach((tip) => (tip.hidden = !svg || !tip.closest(".chart").contains(svg)));
  if (!svg) return;
  const chart = svg.closest("[data-chart]");
  const all = $$("tbody tr", chart);
  const { left, width } = svg.getBoundingClientRect();
  const row = all[Math.max(0, Math.min(all.length - 1, Math.floor(((clientX - left) / width) * all.length)))];
  const heads = $$("thead th", chart);
  const said = [...row.cells].map((cell, at) => (at ? `${heads[at].textContent} ${cell.textContent}` : cell.textContent));
  $(".tip", chart).textContent = said.join(" · ");
});

const fold = $(".fold");
if (fold && matchMedia("(min-width: 901px)").matches) fold.open = true;
mark();
connect();
root.dataset.script = "on";
