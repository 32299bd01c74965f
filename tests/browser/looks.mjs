// How it looks: light, dark, small, large, printed, in German. The screenshots are to be looked at.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, fits, focusShows, shot } from "./support.mjs";

const PAGES = ["/", "/try", "/quality", "/policy", "/bundles", "/labels", "/imports", "/reports", "/keys", "/audit"];
const VPN = { subject: "VPN drops every few minutes", body: "Working from home, GlobalProtect disconnects since the update.", requester: "Ann", messages: [{ author: "Ann", text: "It is worse today." }] };
const named = (path) => path.replaceAll("/", "") || "queue";

export function looks(world) {
  test("enough is decided for figures, and enough is open for a queue", async () => {
    const { page, close } = await world.signedIn("admin");
    const csrf = await page.getAttribute("body", "data-csrf");
    for (let n = 0; n < 24; n++) {
      const made = await world.triage({ ...VPN, body: `${VPN.body} Case ${n}.` });
      const decision = n % 6 === 0 ? { action: "reroute", category: "Wi-Fi" } : { action: "approve" };
      const answer = await page.request.post(`/v1/suggestions/${made.id}/decision`, { data: decision, headers: { "x-csrf-token": csrf } });
      assert(answer.ok() || answer.status() === 409 || answer.status() === 422, await answer.text());
    }
    const open = ["Invoice PDF is blank", "New phone, Okta asks for a code", "Drucker druckt nicht", "Please add me to the finance share", "Laptop is slow since Monday", "Wi-Fi in meeting room 3", "Second monitor stays black", "Phishing mail?", "Password expired", "Order a headset"];
    for (const subject of open) await world.triage({ subject, body: "It began this morning.", requester: "Ann" });
    await close();
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`every page in ${colorScheme}, for everybody`, { timeout: 120_000 }, async () => {
      const { page, close } = await world.signedIn("admin", { colorScheme });
      const made = await world.triage(VPN);
      for (const path of [...PAGES, `/suggestions/${made.id}`]) {
        const name = path.startsWith("/suggestions") ? "ticket" : named(path);
        await page.goto(path);
        await accessible(page, `${name} in ${colorScheme}`);
        await fits(page, name);
        await shot(page, `${name}-1280-${colorScheme}`);
      }
      await close();
    });
  }

  test("every page on a phone and on a wall", { timeout: 120_000 }, async () => {
    const made = await world.triage(VPN);
    for (const [width, height] of [[360, 740], [3840, 2160]]) {
      const { page, close } = await world.signedIn("admin", { viewport: { width, height } });
      for (const path of [...PAGES, `/suggestions/${made.id}`]) {
        const name = path.startsWith("/suggestions") ? "ticket" : named(path);
        await page.goto(path);
        await fits(page, `${name} at ${width}`);
        if (width === 360) await accessible(page, `${name} at ${width}`);
        await shot(page, `${name}-${width}`, { fullPage: width === 360 });
      }
      await close();
    }
  });

  test("on paper", async () => {
    const made = await world.triage(VPN);
    const { page, close } = await world.signedIn("admin");
    await page.emulateMedia({ media: "print" });
    for (const [name, path] of [["ticket", `/suggestions/${made.id}`], ["quality", "/quality"], ["queue", "/"]]) {
      await page.goto(path);
      assert(!(await page.isVisible(".top")) && !(await page.isVisible("footer")));
      await shot(page, `${name}-print`);
    }
    await close();
  });

  test("in German, by what the browser asks for and by choice", async () => {
    const { page, close } = await world.signedIn("admin", { locale: "de-DE" });
    assert.equal(await page.getAttribute("html", "lang"), "de");
    assert.equal(await page.textContent("h1"), "Eingang");
    await accessible(page, "queue in German");
    await shot(page, "queue-german");
    await page.selectOption("#language", "en");
    await page.waitForFunction(() => document.documentElement.lang === "en");
    await close();
  });

  test("every stop of the Tab key can be seen", async () => {
    const made = await world.triage(VPN);
    const { page, close } = await world.signedIn("admin");
    for (const path of ["/", `/suggestions/${made.id}`, "/policy"]) {
      await page.goto(path);
      for (let n = 0; n < 40; n++) {
        await page.keyboard.press("Tab");
        const on = await page.evaluate(() => document.activeElement.outerHTML.slice(0, 120));
        if (on.startsWith("<body")) break;
        assert(await focusShows(page), `${path}: ${on}`);
      }
    }
    await close();
  });

  test("reduced motion is honoured", async () => {
    const { page, close } = await world.signedIn("agent", { reducedMotion: "reduce" });
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
    await close();
  });
}
