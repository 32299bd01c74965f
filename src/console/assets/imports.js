// Sends a history to the service and goes on to its progress.

import { $, csrf, words } from "./core.js";

export function imports() {
  const form = $("#upload");
  const types = { csv: "text/csv", jsonl: "application/x-ndjson", ndjson: "application/x-ndjson" };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = form.elements.file.files[0];
    const type = types[file.name.split(".").at(-1).toLowerCase()] ?? "text/csv";
    const progress = $("#sent");
    const problem = $("#upload-problem");
    const button = $("button", form);
    problem.textContent = "";
    progress.hidden = false;
    button.disabled = true;
    // Not fetch: it does not tell how much of a body has been sent.
    const request = new XMLHttpRequest();
    request.open("POST", `/v1/imports?source=${encodeURIComponent(form.elements.source.value)}`);
    request.setRequestHeader("content-type", type);
    if (csrf) request.setRequestHeader("x-csrf-token", csrf);
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => { progress.value = loaded / total; });
    const failed = (text) => { problem.textContent = words.failed + text; button.disabled = false; progress.hidden = true; };
    request.addEventListener("error", () => failed(words.offline));
    request.addEventListener("load", () => {
      if (request.status === 202) location.assign(`/imports/${request.response.id}`);
      else failed(request.response?.detail ?? request.response?.title ?? request.status);
    });
    request.send(file);
  });
}
