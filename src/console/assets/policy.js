// The target precision: what it comes to is shown while it is moved.

import { $, $$, words } from "./core.js";

export function policy() {
  const slider = $("#target");
  const says = $("#target-says");
  const percent = (share) => (100 * share).toFixed(1);
  const figure = ({ value, low, high }) => `${percent(value)} % (${percent(low)}–${percent(high)})`;
  let asked = 0;

  async function preview() {
    const mine = ++asked;
    const target = Math.round(slider.value * 10) / 1000;
    const response = await fetch(`/v1/policy?target_precision=${target}`).catch(() => null);
    // Only the newest answer counts.
    if (!response?.ok || mine !== asked) return;
    const { fields } = await response.json();
    for (const row of $$("#promises tr[data-field]")) {
      const field = fields[row.dataset.field];
      if (!field) continue;
      const put = (name, text) => { $(`[data-is="${name}"]`, row).textContent = text; };
      put("coverage", figure(field.coverage));
      put("precision", field.threshold === null ? "–" : figure(field.precision));
      put("threshold", field.threshold === null ? words.never : field.threshold.toFixed(3));
    }
  }

  let timer = null;
  slider.addEventListener("input", () => {
    says.textContent = `${Number(slider.value).toFixed(1)} %`;
    clearTimeout(timer);
    timer = setTimeout(preview, 80);
  });
}
