// Sends an export and goes on to its progress; watches a report being made.

import { $, again, say, whileLooking, words } from "./core.js";

export function reports() {
  const form = $("#upload");
  const problem = $("#upload-problem");

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const progress = $("#sent");
    const button = $("button", form);
    const most = Number(form.dataset.most);
    problem.textContent = "";
    if (form.elements.file.files[0].size > most * 2 ** 20) {
      problem.textContent = say(words.too_large, { n: most });
      return;
    }
    progress.hidden = false;
    button.disabled = true;
    // Not fetch: it does not tell how much of a body has been sent.
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => { progress.value = loaded / total; });
    const failed = (text) => { problem.textContent = words.failed + text; button.disabled = false; progress.hidden = true; };
    request.addEventListener("error", () => failed(words.offline));
    request.addEventListener("load", () => {
      if (request.status === 202) location.assign(request.response.place);
      else failed(request.response?.detail ?? request.response?.title ?? request.status);
    });
    request.send(new FormData(form));
  });
}

// Only what has changed is put in place, so that the focus stays and a reader hears each stage once.
export function report() {
  whileLooking(1000, async () => {
    if ("ended" in $("#report").dataset) return;
    const fresh = await again();
    if (!fresh) return;
    if ("ended" in ($("#report", fresh)?.dataset ?? { ended: "" })) { location.reload(); return; }
    for (const part of ["#state", "#stage", "#steps", "#tickets"]) {
      const [shown, now] = [$(part), $(part, fresh)];
      if (shown.innerHTML !== now.innerHTML) shown.replaceChildren(...now.childNodes);
    }
  });
}
