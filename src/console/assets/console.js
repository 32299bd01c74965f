// The entry: every page's keys, and what its own scripts add.

import { $, $$, again, eachPage, key, page, press, sheet, whileLooking, words } from "./core.js";
import { imports } from "./imports.js";
import { policy } from "./policy.js";
import { queue } from "./queue.js";
import { report, reports } from "./reports.js";
import { ticket } from "./ticket.js";

// All are there when the page is: nobody presses a key into the void.
const scripts = { queue, ticket, policy, imports, report, reports };

// A form that is sent once is sent once.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const form = event.target;
  if (form.dataset.sending) { event.preventDefault(); return; }
  form.dataset.sending = "1";
  setTimeout(() => delete form.dataset.sending, 4000);
});
// Coming back to a page finds its forms usable.
addEventListener("pageshow", () => $$("form[data-sending]").forEach((form) => delete form.dataset.sending));

if (page === "try") {
  const form = $("#try");
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  });
  const shape = () => {
    const rest = [1, 2, 3].map(() => { const part = document.createElement("div"); part.className = "skeleton tall"; return part; });
    $("#answer").replaceChildren(...rest);
    $("#answer").setAttribute("aria-busy", "true");
  };
  for (const sent of $$("main form")) sent.addEventListener("submit", shape);
}

if (page === "starting") setTimeout(() => location.reload(), 1500);

if (page === "import") {
  whileLooking(1000, async () => {
    const shown = $("#import");
    if (!shown || "ended" in shown.dataset) return;
    const found = $("#import", (await again()) ?? document);
    if (found !== shown) shown.replaceWith(found);
  });
}

eachPage(() => {
  $("#show-keys").hidden = false;
  $("#show-keys").addEventListener("click", sheet);
  for (const select of $$(".preferences select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  scripts[page]?.();
  key("q", words.key_queue, () => press("q") || location.assign("/"));
});
