// Opens reports in a real browser: no serious accessibility fault (axe-core), nothing wider than the
// window, no request to anywhere, no error, with and without scripts; and takes pictures to look at.
//
//   node check.mjs PICTURES REPORT.html...

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [pictures, ...reports] = process.argv.slice(2);
if (!reports.length) {
  console.error("usage: node check.mjs PICTURES REPORT.html...");
  process.exit(2);
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const faults = [];
mkdirSync(pictures, { recursive: true });

for (const report of reports) {
  const url = pathToFileURL(resolve(report)).href;
  const name = basename(report, ".html");
  for (const scheme of ["light", "dark"]) {
    for (const width of [360, 768, 1280]) {
      const fault = (what) => faults.push(`${name}, ${scheme}, ${width} px: ${what}`);
      // Scripts of the page are forbidden by its own policy; axe is brought in past it.
      const context = await browser.newContext({
        viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: true,
      });
      const page = await context.newPage();
      page.on("request", (request) => {
        if (request.url() !== url) fault(`a request to ${request.url()}`);
      });
      page.on("pageerror", (error) => fault(`an error: ${error.message}`));
      page.on("console", (message) => {
        if (message.type() === "error") fault(`on the console: ${message.text()}`);
      });
      await page.goto(url);
      await page.screenshot({ path: join(pictures, `${name}-${scheme}-${width}.png`), fullPage: true });
      await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      if (wide > 0) fault(`the page is ${wide} px wider than the window`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document));
      for (const { id, impact, help, nodes } of violations) {
        const line = `axe ${impact} ${id}: ${help}; ${nodes.length} times, first ${nodes[0].html.slice(0, 160)}`;
        if (["serious", "critical"].includes(impact)) fault(line);
        else console.log(`${name}, ${scheme}, ${width} px: ${line}`);
      }
      await context.close();
    }
  }
  // As it is: its own policy in force, the reckoning works, and nothing else runs.
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("pageerror", (error) => faults.push(`${name}: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`${name}, with its policy: ${message.text()}`);
  });
  await page.goto(url);
  // Where no label would be applied at any precision, all of it is 0.
  const rows = page.locator('[data-effort-table] tbody tr:not([data-coverage="0.0"])');
  const saved = async () => (await rows.count()) ? rows.first().textContent() : null;
  const before = await saved();
  await page.locator("[data-effort] input").first().fill("1000000");
  if (before !== null && before === (await saved())) faults.push(`${name}: minutes typed in change nothing`);
  await page.emulateMedia({ media: "print" });
  await page.pdf({ path: join(pictures, `${name}.pdf`), format: "A4" });
  await page.screenshot({ path: join(pictures, `${name}-print.png`), fullPage: true });
  await page.close();
  // Without scripts the page is whole: every section has its heading, text and tables.
  const plain = await browser.newPage({ javaScriptEnabled: false });
  await plain.goto(url);
  const [sections, forms] = [await plain.locator("main section h2").count(), plain.locator("[data-effort]").first()];
  if (sections < 4) faults.push(`${name}, without scripts: ${sections} sections`);
  if (await forms.isVisible()) faults.push(`${name}, without scripts: inputs that do nothing`);
  await plain.close();
}
await browser.close();
for (const fault of faults) console.error(`FAULT ${fault}`);
console.log(`${reports.length} reports, ${faults.length} faults; pictures in ${pictures}`);
process.exit(faults.length ? 1 : 0);
