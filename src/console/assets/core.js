// What all pages' scripts share: words, requests, notes, and a memory for what was typed.

const body = document.body;

export const words = JSON.parse(body.dataset.words);
export const csrf = body.dataset.csrf;
export const page = body.dataset.page;

export const $ = (selector, from = document) => from.querySelector(selector);
export const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

export function element(tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const say = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// Says something at the top of the page. A note with `bad` stays until it is taken away.
export function note(text, { bad = false, actions = [] } = {}) {
  const made = element("div", bad ? { class: "bad" } : {}, element("span", { text }));
  for (const [label, act] of actions) {
    const button = element("button", { type: "button", class: "small", text: label });
    button.addEventListener("click", () => { made.remove(); act(); });
    made.append(button);
  }
  $("#notes").append(made);
  if (!bad && actions.length === 0) setTimeout(() => made.remove(), 6000);
  return made;
}

// Sends a form's fields and reads the JSON answer. Throws `Unsent` when no answer came.
export class Unsent extends Error {}

export async function post(path, fields) {
  const sent = new URLSearchParams(fields);
  sent.set("csrf", csrf);
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { accept: "application/json" },
      body: sent,
    });
  } catch {
    throw new Unsent();
  }
  const content = response.status === 204 ? null : await response.json().catch(() => null);
  return { status: response.status, ok: response.ok, content };
}

// Reads this page again, if it has changed: its content, or null.
let etag = null;
let ended = false;
export async function again() {
  const headers = etag ? { "if-none-match": etag } : {};
  const response = await fetch(location.href, { headers }).catch(() => null);
  if (response?.redirected && !ended) {
    ended = true;
    note(words.ended, { bad: true, actions: [[words.sign_in, () => location.reload()]] });
  }
  if (!response?.ok || response.redirected) return null;
  etag = response.headers.get("etag");
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// What is heard and done for a page ends when another takes its place.
let begin;
let stay = new AbortController();
export const whileHere = () => stay.signal;
export function eachPage(work) { begin = work; begin(); }

// Whether another page needs the same style and scripts, and says the same words in the same session.
function alike(other) {
  const kind = (of) => [of.body.dataset.page, of.body.dataset.csrf, of.body.dataset.words, $("[rel=stylesheet]", of)?.href];
  return String(kind(other)) === String(kind(document));
}

// Goes to a page. One like this takes its place, without style and scripts being read again, which
// is most of the time that going there takes.
export async function turn(address) {
  $("main").setAttribute("aria-busy", "true");
  const response = await fetch(address).catch(() => null);
  const html = response?.ok && response.headers.get("content-type")?.startsWith("text/html");
  const next = html && new DOMParser().parseFromString(await response.text().catch(() => ""), "text/html");
  if (!next || !alike(next)) { location.assign(address); return; }
  stay.abort();
  stay = new AbortController();
  keys.length = 0;
  etag = null;
  history.pushState(null, "", response.url);
  here = location.pathname;
  document.title = next.title;
  body.replaceChildren(...next.body.childNodes);
  scrollTo({ top: 0, behavior: "instant" });
  $("main").focus({ preventScroll: true });
  begin();
}

// Back and forward, over pages that took each other's place.
let here = location.pathname;
addEventListener("popstate", () => { if (location.pathname !== here) location.reload(); });

// Calls `work` every so many milliseconds while somebody looks.
export function whileLooking(milliseconds, work) {
  const signal = whileHere();
  let timer = null;
  const go = async () => {
    timer = null;
    if (document.visibilityState === "visible") await work();
    if (!signal.aborted) timer ??= setTimeout(go, milliseconds);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && timer) { clearTimeout(timer); go(); }
  }, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  timer = setTimeout(go, milliseconds);
}

// What was typed, for as long as this tab lives.
export const memory = {
  read: (name) => { try { return JSON.parse(sessionStorage.getItem(name)); } catch { return null; } },
  write: (name, value) => { try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* full */ } },
  forget: (name) => sessionStorage.removeItem(name),
};

// Where letters are text and not commands.
export const isTyping = (target) =>
  target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range])");

// The keys of this page: [key, what it does, what is done].
const keys = [];
export function key(name, says, act) { keys.push([name, says, act]); }

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return leave(event);
  if (isTyping(event.target) || $("dialog[open]")) return;
  if (event.key === "?") { event.preventDefault(); sheet(); return; }
  const known = keys.find(([name]) => name.split(" ").includes(event.key));
  if (known && known[2](event.key) !== false) event.preventDefault();
});

function leave(event) {
  if (isTyping(event.target)) event.target.blur();
  const open = document.activeElement?.closest(".sentence") ?? $(".sentence:hover");
  if (open) {
    open.classList.add("closed");
    open.addEventListener("pointerleave", () => open.classList.remove("closed"), { once: true });
    open.addEventListener("focusout", () => open.classList.remove("closed"), { once: true });
  }
}

export function sheet() {
  $("#key-sheet")?.remove();
  const list = element("dl");
  for (const [name, says] of [...keys, ["Esc", words.key_leave], ["?", words.key_sheet]]) {
    const term = element("dt");
    for (const one of name.split(" ")) term.append(element("kbd", { text: one }), " ");
    list.append(term, element("dd", { text: says }));
  }
  const close = element("button", { type: "button", text: words.close });
  const dialog = element("dialog", { id: "key-sheet", "aria-labelledby": "key-title" },
    element("h2", { id: "key-title", text: words.keys }), list, close);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  body.append(dialog);
  dialog.showModal();
}

// Presses what the page marks with a key, if it is there to be pressed.
export function press(name) {
  const found = $$(`[data-key="${CSS.escape(name)}"]`).find((e) => e.checkVisibility());
  if (!found) return false;
  found.click();
  return true;
}
