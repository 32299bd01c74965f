// Reports: an export is uploaded, watched, read, called off, deleted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { accessible, fits, shot } from "./support.mjs";

const months = (...names) => names.map((name) => readFileSync(new URL(`../../eval/sample/2025-${name}.jsonl`, import.meta.url))).reduce((a, b) => Buffer.concat([a, b]));
const file = (name, buffer) => ({ name, mimeType: "application/octet-stream", buffer });
const ALL = ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"];

export function reports(world) {
  test("an export becomes a report, which is read and kept", { timeout: 300_000 }, async () => {
    const { page, close } = await world.signedIn("lead");
    await page.goto("/reports");
    assert.match(await page.textContent(".empty"), /No reports yet/);
    await accessible(page, "reports, none yet");
    await page.locator("summary", { hasText: "columns" }).click();
    await accessible(page, "reports with options");
    await shot(page, "reports-empty");
    await page.setInputFiles("#file", file("winter.jsonl", months("01", "02", "03", "04")));
    await page.click("#upload button.primary");
    await page.waitForURL("**/reports/rep_*");
    await page.waitForFunction(() => /Embedding|Fitting/.test(document.querySelector("#stage")?.textContent), null, { timeout: 60_000 });
    await accessible(page, "a report under way");
    await shot(page, "report-under-way");
    // While it is made, others are answered as ever, and the focus stays where it is.
    const began = Date.now();
    await world.triage({ subject: "VPN drops every few minutes", body: "While a report is made." });
    const took = Date.now() - began;
    await page.focus("form[action$=cancel] button");
    const stage = await page.textContent("#stage");
    await page.waitForFunction((was) => document.querySelector("#stage")?.textContent !== was, stage, { timeout: 120_000 });
    if (await page.locator("form[action$=cancel]").count()) {
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Call off");
    }
    await page.waitForSelector("#report[data-ended]", { timeout: 240_000 });
    assert.match(await page.textContent("#report"), /Done/);
    assert.match(await page.textContent("#report"), /likeliest category is right|set the category/);
    assert(took < 5_000, `somebody waited ${took} ms for an answer`);
    await accessible(page, "a report that is done");
    await shot(page, "report-done");
    const here = new URL(page.url()).pathname;
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download as JSON")]);
    const report = JSON.parse(readFileSync(await download.path()));
    assert.equal(report.data.tickets, 364);
    assert.deepEqual(report.fields.map((field) => field.name), ["category", "team"]);

    await page.click("text=Open the report");
    await page.waitForURL(`**${here}/page`);
    assert.match(await page.textContent("h1"), /winter\.jsonl/);
    assert.equal(await page.evaluate(() => origin), "null", "the report is a stranger to the console");
    assert(await page.evaluate(() => document.documentElement.classList.contains("scripted")), "its own script runs");
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).margin), "8px", "and its own style");
    await accessible(page, "the report itself");
    await shot(page, "report-page");
    await close();
    for (const [name, options] of [["360", { viewport: { width: 360, height: 740 } }], ["dark", { colorScheme: "dark" }]]) {
      const other = await world.signedIn("lead", options);
      for (const [what, path] of [["report-done", here], ["report-page", `${here}/page`]]) {
        await other.page.goto(path);
        await fits(other.page, `${what} ${name}`);
        await accessible(other.page, `${what} ${name}`);
        await shot(other.page, `${what}-${name}`);
      }
      await other.close();
    }
  });

  test("what cannot be judged is said, and what is made can be called off", { timeout: 120_000 }, async () => {
    const { page, close } = await world.signedIn("lead");
    await page.goto("/reports");
    const rows = Array.from({ length: 40 }, (_, n) => `${n},Reader ${n} does not open,IT`).join("\n");
    await page.setInputFiles("#file", file("one-class.csv", Buffer.from(`id,subject,category\n${rows}`)));
    await page.click("#upload button.primary");
    await page.waitForURL("**/reports/rep_*");
    await page.waitForSelector("#report[data-ended]", { timeout: 60_000 });
    assert.match(await page.textContent(".problem"), /every ticket has the category "IT"/);
    await accessible(page, "a report that cannot be made");
    await shot(page, "report-failed");
    await page.goto("/reports");
    await page.locator("summary", { hasText: "columns" }).click();
    await page.setInputFiles("#file", file("year.jsonl", months(...ALL)));
    await page.fill("#map", "colour=Farbe");
    await page.click("#upload button.primary");
    await page.waitForFunction(() => document.querySelector("#upload-problem").textContent);
    assert.match(await page.textContent("#upload-problem"), /"colour" is no field/);
    await page.fill("#map", "");
    await page.click("#upload button.primary");
    await page.waitForURL("**/reports/rep_*");
    await page.click("text=Call off");
    await page.waitForSelector("#report[data-ended]");
    assert.match(await page.textContent("#report"), /Called off/);
    await close();
  });

  test("an upload works without scripts, and a report is deleted", { timeout: 120_000 }, async () => {
    const { page, close } = await world.signedIn("lead", { javaScriptEnabled: false });
    await page.goto("/reports");
    await page.setInputFiles("#file", file("two.csv", Buffer.from("id,subject,category\n1,a,x\n2,b,y\n")));
    await page.click("#upload button.primary");
    await page.waitForURL("**/reports/rep_*");
    await world.until("its end", async () => {
      await page.reload();
      return /there are 2 tickets/.test(await page.textContent("main"));
    }, 30_000);
    await page.click("text=Delete");
    await page.waitForURL("**/reports?deleted=1");
    assert.match(await page.textContent(".done"), /deleted/);
    assert.equal(await page.locator("tbody tr", { hasText: "two.csv" }).count(), 0);
    assert.equal(await page.locator("tbody tr", { hasText: "winter.jsonl" }).count(), 1);
    await close();
    const agent = await world.signedIn("agent");
    assert.equal((await agent.page.goto("/reports")).status(), 403);
    assert.equal(await agent.page.locator("nav a[href='/reports']").count(), 0);
    await agent.close();
  });
}
