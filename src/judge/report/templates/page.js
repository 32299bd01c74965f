"use strict";
document.documentElement.classList.add("scripted");
const written = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
for (const form of document.querySelectorAll("[data-effort]")) {
  const table = document.querySelector(`[data-effort-table="${form.dataset.effort}"]`);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const [tickets, triage, misroute] = ["tickets", "triage", "misroute"].map((name) =>
      Math.max(0, Number(form.elements[name].value) || 0));
    for (const row of table.tBodies[0].rows) {
      const applied = tickets * Number(row.dataset.coverage);
      const wrong = applied * (1 - Number(row.dataset.precision));
      const hours = (minutes) => minutes / 60;
      const cells = [applied, wrong, hours(applied * triage), hours(wrong * misroute),
        hours(applied * triage - wrong * misroute)];
      cells.forEach((value, at) => { row.cells[at + 1].textContent = written.format(value); });
    }
  });
}
