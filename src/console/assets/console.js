// The page that triages pasted text. Everything from outside is set as text, never as HTML.

const EXAMPLES = [
  ["VPN drops every few minutes", "Working from home today. Since the update GlobalProtect disconnects every five minutes and I have a customer call at two."],
  ["New phone", "I got a new phone yesterday and now Okta asks for a code I don't have. Can't get into anything."],
  ["invoice pdf is blank", "When I print an invoice from Meridian the PDF comes out empty. It worked last week."],
  ["Drucker", "Mein Druckauftrag kommt nicht aus dem FollowMe-Drucker, obwohl ich die Karte davorhalte."],
];

const REASONS = {
  low_confidence: "not sure enough",
  novel: "unlike anything seen so far",
  conflict: "similar tickets disagree",
  unsupported_language: "the encoder does not know this language well",
  empty: "nothing left to read after cleaning",
  no_labels: "the taxonomy has no label for this",
};

const DECISIONS = { auto: "Sure enough to apply", suggest: "Suggested", abstain: "Not known" };

const REGIMES = {
  described: "from the taxonomy's descriptions",
  few_shot: "from similar tickets",
  trained: "from a trained model",
};

const NO_DRAFT = {
  no_similar_resolution: "No resolved ticket is similar enough to draft from.",
  uncertain_category: "What this is about is too uncertain to draft an answer.",
  no_resolution_text: "Similar tickets were resolved, but none says how.",
  empty: "There is nothing to answer.",
  other_language: "The similar tickets were resolved in another language.",
  contradiction: "The similar tickets were resolved in ways that contradict each other.",
  sensitive: "Tickets like this one are answered by people alone.",
};

const form = document.getElementById("ticket");
const answer = document.getElementById("answer");

function element(tag, { text, className, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const percent = (p) => `${Math.round(p * 100)} %`;

function field(name, decided) {
  const verdict = element("span", {
    className: `decision ${decided.decision}`,
    text: DECISIONS[decided.decision],
  });
  const why = [percent(decided.probability), REGIMES[decided.regime]];
  if (decided.reason) why.push(REASONS[decided.reason]);
  const label = decided.department ? `${decided.label} · ${decided.department}` : decided.label;
  const parts = [
    element("div", { className: "label", text: label ?? "–" }),
    element("div", {}, verdict, ` (${why.join(", ")})`),
  ];
  const likely = decided.alternatives.filter((a) => a.probability >= 0.01);
  if (likely.length > 0) {
    const others = likely.map((a) => `${a.label} ${percent(a.probability)}`);
    parts.push(element("div", { className: "quiet", text: `or ${others.join(", ")}` }));
  }
  return [element("dt", { text: name }), element("dd", {}, ...parts)];
}

function similar(tickets) {
  if (tickets.length === 0) {
    return element("p", { className: "quiet", text: "No resolved tickets yet. Import some, and they appear here." });
  }
  const rows = tickets.map((ticket) => element("li", {}, element("details", {},
    element("summary", { text: `${ticket.subject || "(no subject)"} ` },
      element("span", { className: "quiet", text: `${ticket.score.toFixed(2)} · ${ticket.category ?? "–"} · ${ticket.team ?? "–"}` })),
    element("p", { className: "written", text: ticket.resolution ?? "Its resolution was not recorded." }))));
  return element("ul", { className: "plain similar card" }, ...rows);
}

function draft(suggestion) {
  if (!suggestion.draft) {
    const reason = NO_DRAFT[suggestion.draft_reason] ?? "";
    const question = suggestion.draft_question;
    const text = question ? `${reason} To ask: ${question}` : reason;
    return element("p", { className: "quiet", text });
  }
  const sentences = suggestion.draft.sentences.map((sentence) => {
    const quoted = sentence.kind === "source";
    const made = element("p", { text: sentence.text, className: quoted ? "source" : "template" });
    if (quoted) made.title = `From ${sentence.sources.map((s) => s.id).join(", ")}`;
    return made;
  });
  return element("div", { className: "draft card" }, ...sentences);
}

function show(suggestion) {
  const notes = [];
  if (suggestion.degraded.includes("text_truncated")) notes.push("The text is long; only its beginning was read.");
  if (suggestion.degraded.includes("index")) notes.push("The similarity search did not answer.");
  const versions = suggestion.model;
  answer.replaceChildren(
    element("dl", { className: "fields card" },
      ...field("Category", suggestion.category),
      ...field("Team", suggestion.team),
      ...field("Priority", suggestion.priority)),
    ...notes.map((text) => element("p", { className: "quiet", text })),
    element("h2", { text: "Similar resolved tickets" }), similar(suggestion.similar),
    element("h2", { text: "Draft of a reply" }), draft(suggestion),
    element("p", { className: "quiet", text: `Answered in ${Math.round(suggestion.timings_ms.total)} ms · language ${suggestion.language} · ${versions.encoder} · ${versions.bundle} · ${versions.policy}` }),
  );
}

function complain(title, detail) {
  answer.replaceChildren(element("div", { className: "card problem", role: "alert" },
    element("p", { className: "label", text: title }), element("p", { text: detail })));
}

const signIn = document.getElementById("sign-in");
const signOut = document.getElementById("sign-out");
let csrfToken = null;

function send(method, path, body) {
  const headers = { "content-type": "application/json" };
  if (csrfToken) headers["x-csrf-token"] = csrfToken;
  return fetch(path, { method, headers, body: body && JSON.stringify(body) });
}

// Shows the page to whoever may see it, and the way in to everybody else.
function admit(session) {
  csrfToken = session?.csrf_token ?? null;
  signIn.hidden = Boolean(session);
  form.hidden = !session;
  answer.hidden = !session;
  signOut.hidden = !csrfToken;
  (session ? form.subject : signIn.user).focus();
}

async function whoAmI() {
  const response = await fetch("/v1/session");
  if (response.status === 503) return void setTimeout(whoAmI, 1000);
  admit(response.ok ? await response.json() : null);
}

signIn.addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = document.getElementById("sign-in-problem");
  problem.textContent = "";
  const response = await send("POST", "/v1/session", Object.fromEntries(new FormData(signIn)));
  const content = await response.json();
  signIn.password.value = "";
  if (response.ok) admit(content);
  else problem.textContent = content.detail ?? content.title;
});

signOut.addEventListener("click", async () => {
  await send("DELETE", "/v1/session");
  admit(null);
});

async function triage() {
  const ticket = Object.fromEntries(new FormData(form));
  answer.setAttribute("aria-busy", "true");
  try {
    const response = await send("POST", "/v1/triage", ticket);
    const content = await response.json();
    if (response.ok) show(content);
    else if (response.status === 401) admit(null);
    else complain(content.title, content.detail ?? `Code ${content.code}`);
  } catch {
    complain("The service did not answer.", "Your text is still here. Check that Deskhand is running, and try again.");
  } finally {
    answer.removeAttribute("aria-busy");
  }
}

async function watchReadiness() {
  const line = document.getElementById("readiness");
  let wait = 2000;
  try {
    const state = await (await fetch("/readyz")).json();
    if (state.status !== "ready") line.textContent = `Starting: ${state.detail}`;
    else if (state.import) line.textContent = `Importing: ${state.import.done} of ${state.import.total} tickets`;
    else { line.textContent = "Ready"; wait = 30000; }
  } catch {
    line.textContent = "The service does not answer";
  }
  setTimeout(watchReadiness, wait);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  triage();
});

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    triage();
  }
});

const examples = EXAMPLES.map(([subject, body]) => {
  const button = element("button", { type: "button", className: "link", text: subject });
  button.addEventListener("click", () => {
    form.subject.value = subject;
    form.body.value = body;
    triage();
  });
  return element("li", {}, button);
});
document.getElementById("examples").append(...examples);
whoAmI();
watchReadiness();
