// What people do with a page. It adds to pages that work without it: dialogs instead of pages of
// their own, selection, keys. What moves by itself is in live.js.
import { $, $$, base, parse, root, texts } from "./page.js";
import { connect, deny, pause, refreshAll, say, stopped, understood } from "./live.js";
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

// -- dialogs: a link with data-dialog opens the panel of the page it leads to
const dialog = $("#dialog");
async function open(url) {
  const answer = await fetch(url, { headers: { "X-Region": "dialog" } });
  if (!understood(answer) && answer.status < 500 && stopped) return;
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
document.addEventListener("shown", mark);
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

// -- the value under the pointer in a chart
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
