// The server, the browser, and what every test asks of every page.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const out = process.env.BROWSER_OUT;
const modules = createRequire(join(out, "modules", "package.json"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

export const PASSWORD = "correct horse battery";
const PATIENCE = 120_000;
const shots = join(out, "shots");
rmSync(shots, { recursive: true, force: true });
mkdirSync(shots, { recursive: true });

// A close that was never answered has held up a whole run. Nothing is asked of what is closed after
// that, so the test goes on.
const closed = (closing) => Promise.race([closing, pause(20_000, undefined, { ref: false })]);

// What the server says once it can answer.
const READY = { demo: "Stop it with Ctrl-C", serve: " ready " };

// Everything of one run: a server on a folder of its own, and a browser.
export class World {
  async start({ command = "demo", listen = "127.0.0.1:0", env = {}, users = ["agent", "lead", "admin", "colleague"] } = {}) {
    this.data = mkdtempSync(join(tmpdir(), "deskhand-browser-"));
    const shared = { env: { ...process.env, DESKHAND__MODEL__OFFLINE: "true", ...env } };
    const run = (args, input = "") =>
      execFileSync(process.env.DESKHAND_BIN, [...args, "--data", this.data], { ...shared, input, stdio: ["pipe", "pipe", "ignore"] }).toString();
    for (const user of users) run(["users", "set", user, "--scope", user === "colleague" ? "agent" : user], PASSWORD);
    this.key = run(["keys", "create", "browser", "--scope", "triage"]).trim();
    this.server = spawn(process.env.DESKHAND_BIN, [command, "--listen", listen, "--data", this.data], { ...shared, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    this.server.stderr.on("data", (bytes) => { said += bytes; });
    const until = Date.now() + PATIENCE;
    while (!said.includes(READY[command])) {
      assert(this.server.exitCode === null && Date.now() < until, `not ready: ${said}`);
      await pause(100);
    }
    this.address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)[0];
    this.browser = await chromium.launch({ executablePath: process.env.BROWSER_PROGRAM, args: ["--no-sandbox"] });
  }

  async stop() {
    await closed(this.browser?.close());
    if (this.server?.exitCode === null) {
      const ended = new Promise((done) => this.server.once("exit", done));
      this.server.kill("SIGTERM");
      await ended;
    }
    if (this.data) rmSync(this.data, { recursive: true, force: true });
  }

  // A browser of its own. What it must never do fails the test that called `close`.
  async visitor(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, baseURL: this.address, ...options });
    context.setDefaultTimeout(10_000);
    // Style and scripts from a folder, to try changes without building the program anew.
    const assets = process.env.BROWSER_ASSETS;
    if (assets) await context.route("**/assets/*/*", (route) => route.fulfill({ path: join(assets, basename(new URL(route.request().url()).pathname)) }));
    const page = await context.newPage();
    // Whether to approve with fields left open: yes.
    page.on("dialog", (dialog) => { if (dialog.type() === "confirm") dialog.accept(); });
    const faults = [];
    const friends = [this.address, ...(this.friends ?? [])];
    const mine = (url) => friends.some((friend) => url.startsWith(friend)) || url.startsWith("data:") || url === "about:blank";
    context.on("request", (request) => { if (!mine(request.url())) faults.push(`third-party request: ${request.url()}`); });
    context.on("weberror", (error) => faults.push(`script error: ${error.error()}`));
    page.on("console", (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
    });
    return { context, page, close: async () => { await closed(context.close()); assert.deepEqual(faults, []); } };
  }

  // One who has signed in through the form, once: a name may only be tried so often in a minute.
  async signedIn(user, options) {
    this.sessions ??= {};
    const storageState = this.sessions[user];
    const visitor = await this.visitor({ ...options, storageState });
    if (storageState) {
      await visitor.page.goto("/");
      return visitor;
    }
    await visitor.page.goto("/sign-in");
    await visitor.page.fill("#user", user);
    await visitor.page.fill("#password", PASSWORD);
    await visitor.page.press("#password", "Enter");
    await visitor.page.waitForURL((url) => url.pathname === "/");
    this.sessions[user] = await visitor.context.storageState();
    return visitor;
  }

  // Sends a ticket in, as a ticketing system does; returns its suggestion.
  async triage(ticket) {
    const answer = await fetch(`${this.address}/v1/triage`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.key}`, "content-type": "application/json" },
      body: JSON.stringify(ticket),
    });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  }

  async suggestion(id) {
    const answer = await fetch(`${this.address}/v1/suggestions/${id}`, { headers: { authorization: `Bearer ${this.key}` } });
    return answer.json();
  }

  // Waits until something is so.
  async until(what, check, patience = PATIENCE) {
    const until = Date.now() + patience;
    while (!(await check())) {
      assert(Date.now() < until, `waited in vain for ${what}`);
      await pause(200);
    }
  }
}

// No page may be hard to use for anybody: axe-core's rules, contrast AA among them.
export async function accessible(page, name) {
  // Not through a script element: the page's policy refuses those, as it should.
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const told = found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} ${n.any.map((a) => a.message).join("; ")}`).join(" | ")}`);
  assert.deepEqual(told, [], name);
}

// Nothing sticks out of the window to the side.
export async function fits(page, name) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert(wide <= window, `${name}: ${wide} px in a window of ${window}`);
}

export const shot = (page, name, options = {}) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true, ...options });

// Whether what has the focus can be seen to have it.
export const focusShows = (page) => page.evaluate(() => {
  const style = getComputedStyle(document.activeElement);
  return document.activeElement !== document.body && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
});
