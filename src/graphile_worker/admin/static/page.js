// What the scripts of a page have in common. All texts are in the page (#texts).
export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
export const root = document.documentElement;
export const texts = $("#texts").dataset;
export const base = new URL(document.body.dataset.base, location.href);

const policy = globalThis.trustedTypes?.createPolicy("graphile-worker", { createHTML: (html) => html });
export const parse = (html) =>
  new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");
