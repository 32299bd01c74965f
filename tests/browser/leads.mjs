// Leads' pages: imports, the policy, models, labels, keys.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, shot } from "./support.mjs";

export function leads(world) {
  test("a history is uploaded, and its progress watched", async () => {
    const { page, close } = await world.signedIn("lead");
    await page.goto("/imports");
    await accessible(page, "imports");
    const rows = Array.from({ length: 40 }, (_, n) => `B-${n},Badge reader ${n} does not open the door,Building access,Facilities,Reader ${n} was reset.`);
    const csv = ["id,subject,category,team,resolution", ...rows, "B-x,,,,"].join("\n");
    await page.setInputFiles("#file", { name: "history.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
    await page.fill("#source", "browser-test");
    await page.click("#upload button");
    await page.waitForURL("**/imports/imp_*");
    await page.waitForSelector("#import[data-ended]", { timeout: 60_000 });
    assert.match(await page.textContent("#import"), /Done/);
    assert.match(await page.textContent(".faults"), /Line 42/);
    await accessible(page, "import");
    await shot(page, "import");
    await close();
  });

  test("the target precision moves what it comes to, and is saved", async () => {
    await world.until("a trained model", async () => {
      const answer = await fetch(`${world.address}/v1/bundles`, { headers: { authorization: `Bearer ${world.key}` } });
      return (await answer.json()).items.length > 0;
    });
    const { page, close } = await world.signedIn("lead");
    await page.goto("/policy");
    const coverage = () => page.textContent("tr[data-field=category] [data-is=coverage]");
    const before = await coverage();
    await page.focus("#target");
    for (let n = 0; n < 20; n++) await page.keyboard.press("ArrowLeft");
    await page.waitForFunction((was) => document.querySelector("tr[data-field=category] [data-is=coverage]").textContent !== was, before);
    assert.equal(await page.textContent("#target-says"), "93.0 %");
    await accessible(page, "policy");
    await page.click("button.primary");
    await page.waitForURL("**/policy?saved=1");
    assert.match(await page.textContent("#target-help"), /In force: 93/);
    assert(await page.locator("svg.chart polyline").count() >= 2);
    await shot(page, "policy");
    await close();
  });

  test("models, labels, keys and the audit trail can be worked with", async () => {
    const { page, close } = await world.signedIn("admin");
    await page.goto("/bundles");
    assert.match(await page.textContent("main"), /active/);
    await accessible(page, "bundles");
    await shot(page, "bundles");
    await page.goto("/labels");
    await accessible(page, "labels");
    await page.locator("details.card summary").first().click();
    await page.locator("textarea[name=team-description]").first().fill("First contact for everybody.");
    await page.click(".sticky button");
    await page.waitForURL("**/labels?saved=1");
    await page.goto("/keys");
    await page.fill("#name", "reporting");
    await page.selectOption("#scope", "triage");
    await page.click("form.card button");
    assert.match(await page.textContent(".secret"), /^dh_/);
    await accessible(page, "keys");
    await page.locator("tr", { hasText: "reporting" }).locator("button").click();
    assert.match(await page.locator("tr", { hasText: "reporting" }).textContent(), /revoked/);
    await page.goto("/audit");
    assert.match(await page.textContent("table"), /taxonomy\.put/);
    await accessible(page, "audit");
    await close();
  });
}
