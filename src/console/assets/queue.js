// The queue: keys, many at once, what arrives meanwhile, saved views.

import { $, $$, again, element, key, note, press, say, whileLooking, words } from "./core.js";

export function queue() {
  const links = () => $$(".row .subject a");
  const current = () => document.activeElement?.closest(".row");

  // Undo stays where it was offered, and a reload does not say again what was done.
  if (location.search.includes("done=")) {
    const query = new URLSearchParams(location.search);
    for (const name of ["done", "ids", "left"]) query.delete(name);
    history.replaceState(null, "", query.size ? `/?${query}` : "/");
  }

  function move(by) {
    const all = links();
    const at = all.indexOf($("a", current() ?? document.createElement("li")));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)] ?? all[0];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  key("j ArrowDown", words.key_move, () => move(1));
  key("k ArrowUp", words.key_move, () => move(-1));
  key("Enter", words.key_open, () => {
    if (current() && document.activeElement.matches("input")) $("a", current()).click();
    else return false;
  });
  key("x", words.key_pick, () => { $("input", current() ?? document.createElement("li"))?.click(); });
  key("/", words.key_search, () => $("#f-q").focus());
  key("A", words.key_approve, () => { if ($$(".row input:checked").length) $("#bulk").requestSubmit(); });
  key("u", words.key_undo, () => press("u"));

  // Many at once
  function tell() {
    const picked = $$(".row input:checked").length;
    const output = $("#selected");
    if (!output) return;
    output.textContent = picked ? `(${picked})` : "";
    const boxes = $$(".row input[type=checkbox]");
    const all = $("#all-safe input");
    if (all) {
      all.checked = picked > 0 && picked === boxes.length;
      all.indeterminate = picked > 0 && picked < boxes.length;
    }
  }

  let shown = $("#list").innerHTML;

  function prepare() {
    const all = $("#all-safe");
    if (!all) return;
    all.hidden = false;
    $("input", all).addEventListener("change", (event) => {
      for (const box of $$(".row input[type=checkbox]")) box.checked = event.target.checked;
      tell();
    });
    tell();
  }
  $("main").addEventListener("change", (event) => { if (event.target.closest(".row")) tell(); });
  prepare();

  // What arrives meanwhile: shown at once, unless somebody is in the middle of something.
  async function look() {
    if (new URLSearchParams(location.search).has("before")) return;
    const found = await again();
    const fresh = found && $("#list", found);
    if (!fresh) return;
    $("#counts").replaceWith($("#counts", found));
    if (fresh.innerHTML === shown) return;
    shown = fresh.innerHTML;
    const known = new Set($$(".row").map((row) => row.dataset.id));
    const arrived = $$(".row", fresh).filter((row) => !known.has(row.dataset.id));
    if (known.size > 0) for (const row of arrived) row.classList.add("fresh");
    const picked = new Set($$(".row input:checked").map((box) => box.value));
    const focused = current()?.dataset.id;
    const onBox = document.activeElement?.matches(".row input");
    for (const box of $$(".row input", fresh)) box.checked = picked.has(box.value);
    $("#list").replaceWith(fresh);
    prepare();
    if (focused) {
      const row = $$(".row").find((one) => one.dataset.id === focused);
      (row ? $(onBox ? "input" : "a", row) : links()[0])?.focus({ preventScroll: true });
    }
    if (arrived.length && known.size) note(say(words.fresh, { n: arrived.length }));
  }
  whileLooking(4000, look);

  // What is chosen counts at once.
  for (const select of $$("#filters select")) select.addEventListener("change", () => select.form.requestSubmit());

  // Saved views: the address of this page under a name, kept in this browser.
  const NAME = "deskhand.views";
  const load = () => { try { return JSON.parse(localStorage.getItem(NAME)) ?? []; } catch { return []; } };

  function showViews() {
    const views = load();
    $("#views").hidden = views.length === 0;
    $("#views ul").replaceChildren(...views.map(([name, query], at) => {
      const link = element("a", { href: `/?${query}`, text: name });
      const gone = element("button", { type: "button", class: "link", text: "×", "aria-label": `${words.remove}: ${name}` });
      gone.addEventListener("click", () => { keep(load().filter((_, other) => other !== at)); });
      return element("li", {}, link, gone);
    }));
  }

  function keep(views) {
    localStorage.setItem(NAME, JSON.stringify(views));
    showViews();
  }

  const save = $("#save-view");
  save.hidden = location.search.length < 2;
  save.addEventListener("click", () => {
    const name = prompt(words.view_name)?.trim();
    const query = new URLSearchParams(location.search);
    for (const [field, value] of [...query]) if (!value) query.delete(field);
    if (name) keep([...load().filter(([known]) => known !== name), [name, query.toString()]]);
  });
  showViews();
}
