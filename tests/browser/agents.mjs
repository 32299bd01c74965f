// An agent's day: signing in, walking the queue by keyboard alone, deciding.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PASSWORD, accessible, focusShows, shot } from "./support.mjs";

const VPN = { subject: "VPN drops every few minutes", body: "Working from home, GlobalProtect disconnects since the update." };
const PDF = { subject: "Invoice PDF is blank", body: "When I print an invoice from Meridian the PDF comes out white." };

export function agents(world) {
  test("who is not signed in is asked to, and comes back to where they wanted to be", async () => {
    const { page, close } = await world.visitor();
    await page.goto("/?order=urgent");
    assert.equal(await page.textContent("h1"), "Sign in");
    await accessible(page, "sign-in");
    await shot(page, "sign-in");
    await page.fill("#user", "agent");
    await page.fill("#password", "wrong");
    await page.keyboard.press("Enter");
    assert.match(await page.textContent("[role=alert]"), /do not fit/);
    await page.fill("#password", PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/?order=urgent");
    assert.equal(await page.textContent("h1"), "Queue");
    await close();
  });

  test("an empty queue teaches what to do", async () => {
    const { page, close } = await world.signedIn("agent");
    await page.goto("/?q=nothing-like-this");
    await accessible(page, "empty queue");
    assert.match(await page.textContent(".empty"), /Nothing matches/);
    await close();
  });

  test("pasted text is triaged whole, and not kept", async () => {
    const { page, close } = await world.signedIn("agent");
    const before = await (await page.request.get("/v1/suggestions")).json();
    await page.goto("/try");
    await page.fill("#subject", VPN.subject);
    await page.fill("#body", VPN.body);
    await page.press("#body", "Control+Enter");
    await page.waitForSelector("#answer .labels");
    assert.match(await page.textContent("#answer"), /VPN/);
    assert(await page.locator("#answer .similar > li").count() >= 3);
    assert(await page.locator("#answer mark").count() > 0, "shared words are marked");
    await accessible(page, "try");
    await shot(page, "try");
    const after = await (await page.request.get("/v1/suggestions")).json();
    assert.deepEqual(after, before);
    await close();
  });

  test("the queue is walked and worked by keyboard alone", async () => {
    const made = [];
    for (const [n, ticket] of [VPN, PDF, VPN, PDF, VPN].entries()) {
      made.push(await world.triage({ ...ticket, subject: `${ticket.subject} (${n})` }));
    }
    const status = async (at) => (await world.suggestion(made[at].id)).status;
    const { page, close } = await world.signedIn("agent");
    const press = (keys) => page.keyboard.press(keys);
    await press("j");
    const first = await page.evaluate(() => document.activeElement.textContent);
    assert(await focusShows(page), "the row that has the focus shows it");
    await press("j");
    const second = await page.evaluate(() => document.activeElement.textContent);
    assert.notEqual(second, first);
    await press("k");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), first);
    await press("?");
    assert.match(await page.textContent("dialog[open]"), /Next, previous ticket/);
    await accessible(page, "keys");
    await press("Escape");
    await press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "f-q");
    await press("Escape");
    await page.locator(`[data-id="${made[4].id}"] a`).focus();
    await press("Enter");
    await page.waitForSelector("#decision");
    await accessible(page, "ticket");

    // Approve, and the next one is there.
    await press("a");
    await page.waitForURL(`**/suggestions/${made[3].id}**`);
    assert.equal(await status(4), "approved");
    // Undo leads back.
    await press("u");
    await page.waitForURL(`**/suggestions/${made[4].id}**`);
    assert.equal(await status(4), "open");
    // Edit in place, the difference shown.
    await press("e");
    assert.equal(await page.evaluate(() => document.activeElement.id), "reply");
    await press("Control+End");
    await page.keyboard.type(" Please call if it comes back.");
    assert.match(await page.textContent("#difference ins"), /Please call/);
    assert.equal(await page.textContent("#approve-says"), "Approve with changes");
    await shot(page, "ticket-edited");
    await press("Control+Enter");
    await page.waitForURL(`**/suggestions/${made[3].id}**`);
    const edited = await world.suggestion(made[4].id);
    assert.equal(edited.status, "edited");
    assert.match(edited.decision.reply, /Please call/);
    // Another category by its key brings its own team.
    const was = await page.inputValue("#category");
    await press("2");
    assert.notEqual(await page.inputValue("#category"), was);
    await press("r");
    await page.waitForURL(`**/suggestions/${made[2].id}**`);
    assert.equal(await status(3), "rerouted");
    // Reject with a reason.
    await press("x");
    await press("ArrowUp");
    await press("Enter");
    await page.waitForURL(`**/suggestions/${made[1].id}**`);
    const rejected = await world.suggestion(made[2].id);
    assert.deepEqual([rejected.status, rejected.decision.reason], ["rejected", "not_needed"]);
    // The way back leads past what took its place.
    await page.goBack();
    await page.waitForURL(`**/suggestions/${made[2].id}**`);
    await page.waitForSelector("text=Rejected");
    await page.goForward();
    await page.waitForURL(`**/suggestions/${made[1].id}**`);
    // Read anew, and its keys are there.
    await page.waitForSelector("body:has(#decision) #show-keys:not([hidden])");
    // Skip, and back to the queue.
    await press("s");
    await page.waitForURL(`**/suggestions/${made[0].id}**`);
    await press("q");
    await page.waitForSelector("#list");
    await close();
  });

  test("each sentence says where it comes from, on hover and on focus", async () => {
    const made = await world.triage(VPN);
    const { page, close } = await world.signedIn("agent");
    await page.goto(`/suggestions/${made.id}`);
    const quote = page.locator("button.quote").first();
    await quote.hover();
    assert(await page.locator(".source").first().isVisible());
    await page.mouse.move(0, 0);
    assert(!(await page.locator(".source").first().isVisible()));
    await quote.focus();
    assert.match(await page.locator(".source").first().innerText(), /Ticket:|Article:/);
    await shot(page, "ticket-source", { fullPage: false });
    await close();
  });

  test("Tab goes from one field to fill in to the next", async () => {
    const made = await world.triage(VPN);
    const { page, close } = await world.signedIn("agent");
    await page.goto(`/suggestions/${made.id}`);
    await page.evaluate(() => {
      document.querySelector("#decision").dataset.placeholders = "[date]\n[name]";
      const reply = document.querySelector("#reply");
      reply.value = "On [date] we will call [name] again.";
      reply.dispatchEvent(new Event("input", { bubbles: true }));
    });
    assert.match(await page.textContent("#fields-left"), /2 fields/);
    await page.keyboard.press("e");
    const marked = () => page.evaluate(() => { const r = document.querySelector("#reply"); return r.value.slice(r.selectionStart, r.selectionEnd); });
    assert.equal(await marked(), "[date]");
    await page.keyboard.type("Friday");
    await page.keyboard.press("Tab");
    assert.equal(await marked(), "[name]");
    await page.keyboard.type("Ann");
    await page.keyboard.press("Tab");
    assert.notEqual(await page.evaluate(() => document.activeElement.id), "reply", "no trap");
    assert.equal(await page.inputValue("#reply"), "On Friday we will call Ann again.");
    await close();
  });

  test("the sure ones are approved together, and taken back together", async () => {
    const made = [];
    for (let n = 0; n < 3; n++) made.push(await world.triage({ ...VPN, body: `${VPN.body} Again: ${n}.` }));
    const { page, close } = await world.signedIn("agent");
    await page.goto("/?decision=auto");
    const boxes = page.locator(".row input[type=checkbox]");
    assert(await boxes.count() >= 3);
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    assert.equal(await page.textContent("#selected"), "(1)");
    await page.check("#all-safe input");
    const n = await boxes.count();
    assert.equal(await page.textContent("#selected"), `(${n})`);
    await accessible(page, "queue");
    await page.click(".bulk button");
    await page.waitForSelector("#done");
    assert.match(await page.textContent("#done"), new RegExp(n === 1 ? "Approved" : `${n} approved`));
    assert.equal((await world.suggestion(made[0].id)).status, "approved");
    await page.keyboard.press("u");
    await page.waitForSelector("#done >> text=Undone");
    for (const { id } of made) assert.equal((await world.suggestion(id)).status, "open");
    await close();
  });

  test("what arrives meanwhile appears by itself and disturbs nobody", async () => {
    const { page, close } = await world.signedIn("agent");
    await page.keyboard.press("j");
    const focused = await page.evaluate(() => document.activeElement.closest(".row").dataset.id);
    const made = await world.triage({ subject: "Arrived meanwhile", body: "The printer jams." });
    await page.waitForSelector(`[data-id="${made.id}"]`);
    assert.equal(await page.evaluate(() => document.activeElement.closest(".row").dataset.id), focused);
    await close();
  });

  test("a view is saved under a name", async () => {
    const { page, close } = await world.signedIn("agent");
    await page.goto("/?team=Network&order=urgent");
    page.once("dialog", (dialog) => dialog.accept("Network first"));
    await page.click("#save-view");
    await page.goto("/");
    await page.click("#views a");
    await page.waitForURL("**/?team=Network&order=urgent");
    await close();
  });
}
