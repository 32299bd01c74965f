// What goes wrong: two agents at once, hostile tickets, no network, no session, no scripts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PASSWORD, shot } from "./support.mjs";

const VPN = { subject: "VPN drops every few minutes", body: "Working from home, GlobalProtect disconnects since the update." };

export function troubles(world) {
  test("two agents see each other, and neither overwrites the other", async () => {
    const made = await world.triage(VPN);
    const one = await world.signedIn("agent");
    const two = await world.signedIn("colleague");
    await one.page.goto(`/suggestions/${made.id}`);
    await two.page.goto(`/suggestions/${made.id}`);
    await two.page.waitForSelector("#others:not([hidden])");
    assert.match(await two.page.textContent("#others"), /agent/);
    await two.page.fill("#reply", "What the second one has typed.");
    await one.page.keyboard.press("x");
    await one.page.keyboard.press("Enter");
    await one.page.waitForURL((url) => !url.pathname.endsWith(made.id));
    await two.page.press("#reply", "Control+Enter");
    await two.page.waitForSelector("#problem:not([hidden])");
    assert.match(await two.page.textContent("#problem"), /agent has decided this meanwhile: Rejected/);
    assert.equal(await two.page.inputValue("#reply"), "What the second one has typed.");
    assert.equal((await world.suggestion(made.id)).status, "rejected");
    await shot(two.page, "ticket-conflict", { fullPage: false });
    await one.close();
    await two.close();
  });

  test("a hostile ticket is inert", async () => {
    const script = "<script>globalThis.harmed = 1</script><img src=x onerror=\"globalThis.harmed = 1\"><a href=\"javascript:globalThis.harmed=1\">click</a>";
    const made = await world.triage({
      subject: `VPN ${script} \u202Egnp.exe`,
      body: `<p>${script}</p> ${"A".repeat(50_000)} javascript:alert(1)`,
      requester: script,
      source: { system: script, id: "1", url: "javascript:globalThis.harmed=1" },
    });
    const { page, close } = await world.signedIn("agent");
    for (const path of ["/", `/suggestions/${made.id}`]) {
      await page.goto(path);
      await page.waitForTimeout(200);
      assert.equal(await page.evaluate(() => globalThis.harmed), undefined, path);
      assert.equal(await page.locator("main img, main script, main iframe").count(), 0);
      const links = await page.locator("main a").evaluateAll((all) => all.map((a) => a.protocol));
      assert(links.every((protocol) => protocol === "http:"), links.join());
      const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert(wide <= window, "a line of 50,000 letters breaks");
    }
    assert.match(await page.textContent("h1"), /U\+202E/);
    await page.click("details.original summary");
    assert.match(await page.textContent("details.original pre"), /<script>/);
    await shot(page, "ticket-hostile", { fullPage: false });
    await close();
  });

  test("nothing that was typed is lost when the network is", async () => {
    const made = await world.triage(VPN);
    const { page, context, close } = await world.signedIn("agent");
    await page.goto(`/suggestions/${made.id}`);
    await page.fill("#reply", "Typed before the network went.");
    await context.setOffline(true);
    await page.press("#reply", "Control+Enter");
    await page.waitForSelector("#notes .bad");
    assert.match(await page.textContent("#notes"), /Not saved/);
    assert.equal(await page.inputValue("#reply"), "Typed before the network went.");
    await shot(page, "ticket-offline", { fullPage: false });
    await context.setOffline(false);
    await page.reload();
    assert.equal(await page.inputValue("#reply"), "Typed before the network went.", "also after a reload");
    await context.setOffline(true);
    await page.press("#reply", "Control+Enter");
    await page.waitForSelector("#notes .bad");
    await context.setOffline(false);
    await page.waitForURL((url) => !url.pathname.endsWith(made.id));
    const sent = await world.suggestion(made.id);
    assert.deepEqual([sent.status, sent.decision.reply, sent.version], ["edited", "Typed before the network went.", 2], "once, by itself");
    await close();
  });

  test("a session that ends keeps what was typed", async () => {
    const made = await world.triage(VPN);
    const { page, context, close } = await world.signedIn("agent");
    await page.goto(`/suggestions/${made.id}`);
    await page.fill("#reply", "Typed before the session ended.");
    await context.clearCookies();
    await page.press("#reply", "Control+Enter");
    await page.waitForSelector("#notes .bad");
    await page.click("#notes .bad button");
    await page.fill("#user", "agent");
    await page.fill("#password", PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/suggestions/${made.id}`);
    assert.equal(await page.inputValue("#reply"), "Typed before the session ended.");
    await close();
  });

  test("everything an agent needs works without scripts", async () => {
    const made = await world.triage(VPN);
    const { page, close } = await world.signedIn("agent", { javaScriptEnabled: false });
    await page.goto(`/suggestions/${made.id}`);
    await page.fill("#reply", "Sent without scripts.");
    await page.click("button[value=approve]");
    await page.click("#done button");
    await page.waitForURL(`**/suggestions/${made.id}?done=undo`);
    assert.equal((await world.suggestion(made.id)).status, "open");
    await page.click(".reject summary");
    await page.click("button[value=reject]");
    assert.equal((await world.suggestion(made.id)).status, "rejected");
    await page.goto("/try");
    await page.fill("#subject", "VPN drops");
    await page.click("#try button");
    assert.match(await page.textContent("#answer"), /VPN/);
    await close();
  });
}
