// One ticket: keys, editing, what is sent, who else is here. Nothing that was typed is lost.

import { $, $$, Unsent, csrf, element, key, memory, note, post, press, say, turn, whileHere, whileLooking, words } from "./core.js";
import { difference } from "./difference.js";

export function ticket() {
  const form = $("#decision");
  const id = location.pathname.split("/").at(-1);
  const kept = `deskhand.typed.${id}`;
  const chosen = form ? $$("select[data-suggested]", form) : [];
  const reply = form?.elements.reply;
  let leaving = false;

  if (location.search.includes("done=")) {
    const query = new URLSearchParams(location.search);
    for (const name of ["done", "ids"]) query.delete(name);
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  }

  // Keys
  key("a", words.key_approve, () => press("a"));
  key("e", words.key_edit, () => { if (!reply) return false; reply.focus(); step(0) || reply.setSelectionRange(0, 0); });
  key("1 2 3 4 5 6 7 8 9", words.key_choose, (name) => press(name));
  key("r", words.key_reroute, () => {
    if (!form) return false;
    if (chosen.some((select) => "changed" in select.dataset)) return press("r");
    form.elements.category.focus();
  });
  key("x", words.key_reject, () => {
    const details = $(".reject");
    if (!details) return false;
    if (details.open) { details.open = false; return; }
    details.open = true;
    $("input:checked", details)?.focus();
  });
  key("s j", words.key_skip, () => press("s"));
  key("u", words.key_undo, () => press("u"));
  key("o", words.key_original, () => press("o"));

  for (const link of $$('a[data-key="s"]')) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      // Not from under a decision that is on its way.
      if (leaving || form?.dataset.sending) return;
      leaving = true;
      turn(link.href);
    });
  }

  // A cited ticket is pointed out where it stands.
  for (const sentence of $$(".sentence")) {
    const cited = $$("a", sentence).map((link) => $(link.getAttribute("href"))).filter(Boolean);
    const mark = (on) => () => cited.forEach((item) => item.classList.toggle("cited", on));
    sentence.addEventListener("pointerenter", mark(true));
    sentence.addEventListener("pointerleave", mark(false));
    sentence.addEventListener("focusin", mark(true));
    sentence.addEventListener("focusout", mark(false));
    $(".quote", sentence).addEventListener("click", () => cited[0]?.scrollIntoView({ block: "nearest" }));
  }

  // Fields to fill in: Tab goes from one to the next, and on when none is left.
  const placeholders = () => (form?.dataset.placeholders ?? "").split("\n").filter(Boolean);

  function open() {
    const found = [];
    for (const text of new Set(placeholders())) {
      for (let at = reply.value.indexOf(text); at >= 0; at = reply.value.indexOf(text, at + text.length)) {
        found.push([at, at + text.length]);
      }
    }
    return found.sort((a, b) => a[0] - b[0]);
  }

  function step(from) {
    const next = open().find(([start]) => start >= from);
    if (!next) return false;
    reply.setSelectionRange(...next);
    return true;
  }

  function changed() {
    const differs = reply.value.trim() !== reply.dataset.suggested.trim();
    for (const select of chosen) {
      if (select.value === select.dataset.suggested) delete select.dataset.changed;
      else select.dataset.changed = "";
    }
    const labels = chosen.some((select) => "changed" in select.dataset);
    const says = $("#approve-says");
    says.textContent = differs || labels ? says.dataset.changed : says.dataset.plain;
    const left = open().length;
    const line = $("#fields-left");
    line.hidden = left === 0;
    line.textContent = say(words.fields_left, { n: left });
    const shown = $("#difference");
    shown.hidden = !differs || !reply.dataset.suggested;
    if (!shown.hidden) {
      const parts = difference(reply.dataset.suggested.trim(), reply.value.trim());
      $(".diff", shown).replaceChildren(...parts.map(([kind, text]) =>
        kind === "same" ? text : element(kind, { text })));
      if (!shown.dataset.seen) { shown.dataset.seen = "1"; shown.open = true; }
    }
    return differs || labels;
  }

  function remember() {
    if (!changed()) { memory.forget(kept); return; }
    const values = Object.fromEntries(chosen.map((select) => [select.name, select.value]));
    memory.write(kept, { ...values, reply: reply.value });
  }

  function restore() {
    const typed = memory.read(kept);
    if (!typed) return;
    for (const [name, value] of Object.entries(typed)) if (form.elements[name]) form.elements[name].value = value;
    if (!changed()) { memory.forget(kept); return; }
    note(words.kept, { actions: [[words.discard, () => {
      memory.forget(kept);
      form.reset();
      reply.value = reply.dataset.suggested;
      for (const select of chosen) select.value = select.dataset.suggested;
      changed();
    }]] });
  }

  if (form) prepare();

  function prepare() {
    for (const button of $$("[data-choose]", form)) {
      button.hidden = false;
      button.addEventListener("click", () => {
        form.elements.category.value = button.dataset.choose;
        form.elements.category.dispatchEvent(new Event("change", { bubbles: true }));
      });
    }
    // Another category brings its own team.
    form.elements.category.addEventListener("change", (event) => {
      const team = event.target.selectedOptions[0]?.dataset.team;
      const suggested = event.target.value === event.target.dataset.suggested;
      const wanted = suggested ? form.elements.team.dataset.suggested : team;
      if (wanted) form.elements.team.value = wanted;
    });
    form.addEventListener("input", remember);
    form.addEventListener("change", remember);
    reply.addEventListener("keydown", (event) => {
      if (event.key === "Tab" && !event.shiftKey && step(reply.selectionEnd)) event.preventDefault();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); press("a"); }
    });
    for (const sent of [form, $("#rejection")]) {
      sent.addEventListener("submit", (event) => {
        event.preventDefault();
        send(event.submitter?.value ?? "approve", sent);
      });
    }
    // What stands in the form after a refusal is newer than what was kept.
    if ($("#problem").hidden) restore();
    changed();
  }

  async function send(action, sent = form) {
    if (form.dataset.sending || leaving) return;
    const left = action === "approve" ? [...new Set(open().map(([from, to]) => reply.value.slice(from, to)))] : [];
    if (left.length && !confirm(say(words.fields_open, { fields: left.join(", ") }))) {
      reply.focus();
      step(0);
      return;
    }
    form.dataset.sending = "1";
    const buttons = $$("button", form);
    for (const button of buttons) button.disabled = true;
    const fields = new FormData(sent);
    fields.set("action", action);
    const again = () => {
      delete form.dataset.sending;
      for (const button of buttons) button.disabled = false;
    };
    try {
      // Its buttons are called `action`, which hides the form's own.
      const { ok, status, content } = await post(sent.getAttribute("action"), fields);
      if (ok) { memory.forget(kept); leaving = true; turn(content.next); return; }
      again();
      if (status === 401) {
        remember();
        note(words.ended, { bad: true, actions: [[words.sign_in, () => {
          location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
        }]] });
        return;
      }
      const problem = $("#problem");
      problem.hidden = false;
      problem.textContent = content?.detail ?? words.failed + status;
      problem.scrollIntoView({ block: "center" });
    } catch (error) {
      if (!(error instanceof Unsent)) throw error;
      again();
      remember();
      const said = note(words.offline, { bad: true, actions: [[words.retry, () => { clearTimeout(timer); send(action, sent); }]] });
      // Sent again, it is the same decision: the version it is based on makes sure of that.
      const timer = setTimeout(() => { said.remove(); send(action, sent); }, 5000);
      whileHere().addEventListener("abort", () => clearTimeout(timer));
    }
  }

  // Who else is here, and whether the suggestion still is what this page shows.
  const me = Math.random().toString(36).slice(2);

  async function look() {
    const answer = await post(`/suggestions/${id}/presence`, { page: me }).catch(() => null);
    if (!answer?.ok || leaving) return;
    const { others, version, said } = answer.content;
    const line = $("#others");
    line.hidden = !others;
    line.textContent = others ?? "";
    if (form && said && String(version) !== form.dataset.version) {
      const problem = $("#problem");
      problem.hidden = false;
      problem.textContent = said;
    }
  }

  function leave() {
    navigator.sendBeacon(`/suggestions/${id}/presence`, new URLSearchParams({ page: me, leave: "1", csrf }));
  }

  look();
  whileLooking(5000, look);
  addEventListener("pagehide", leave, { signal: whileHere() });
  whileHere().addEventListener("abort", leave);
}
