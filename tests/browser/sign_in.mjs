// Sign-in through a provider, against a real one.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { CLIENT, CompanySso, SECRET, freePort } from "./provider.mjs";
import { PASSWORD, World, accessible, fits, focusShows, shot } from "./support.mjs";

const VPN = { subject: "VPN drops every few minutes", body: "Working from home, GlobalProtect disconnects since the update." };

export function signIn() {
  describe("sign-in through a provider", () => {
    const world = new World();
    let sso;

    before(async () => {
      const [port, own] = [await freePort(), await freePort()];
      const listen = `127.0.0.1:${own}`;
      sso = new CompanySso(port, `http://${listen}`);
      world.friends = [sso.issuer];
      const settings = {
        SERVER__PUBLIC_URL: `http://${listen}`,
        SIGN_IN__ISSUER: sso.issuer,
        SIGN_IN__CLIENT_ID: CLIENT,
        SIGN_IN__CLIENT_SECRET: SECRET,
        SIGN_IN__PROVIDER_NAME: "Company SSO",
        SIGN_IN__SCOPES: "profile groups",
        SIGN_IN__AGENT: "desk",
        SIGN_IN__LEAD: "leads",
        SIGN_IN__ADMIN: "ops",
      };
      const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`DESKHAND__${name}`, value]));
      // The provider is not there yet, which must not keep the server from starting.
      await world.start({ command: "serve", listen, env, users: ["admin"] });
    }, { timeout: 180_000 });

    after(async () => {
      await sso.stop();
      await world.stop();
    });

    // Goes to a page and, from there, to the provider's.
    async function sent(page, path) {
      await page.goto(path);
      await page.waitForURL((url) => url.pathname === "/sign-in");
      await page.click("#provider");
      await page.waitForURL((url) => url.origin === sso.issuer);
    }

    async function cameIn(who, path = "/try", options = {}) {
      const visitor = await world.visitor(options);
      await sent(visitor.page, path);
      await visitor.page.click(`button[value=${who}]`);
      await visitor.page.waitForURL(`${world.address}${path}`);
      return visitor;
    }

    test("a provider that is down is said to be, and the password still works", async () => {
      const { page, close } = await world.visitor();
      await page.goto("/try");
      await accessible(page, "sign-in with a provider");
      const answered = page.waitForResponse((response) => response.url().includes("/sign-in/provider"));
      await page.click("#provider");
      assert.equal((await answered).status(), 503);
      assert.match(await page.textContent("[role=alert]"), /Company SSO cannot be reached/);
      await accessible(page, "a provider that is down");
      await shot(page, "sign-in-provider-down");
      await page.fill("#user", "admin");
      await page.fill("#password", PASSWORD);
      await page.press("#password", "Enter");
      await page.waitForURL("**/try");
      await close();
      await sso.start();
    });

    for (const [who, name, sees, not] of [
      ["ava", "Ava Agent", "/try", "/quality"],
      ["lee", "Lee Lead", "/quality", "/keys"],
      ["ada", "Ada Admin", "/keys", "/nowhere"],
    ]) {
      test(`${name} comes in with the role of their groups`, async () => {
        const { page, context, close } = await cameIn(who);
        assert.match(await page.textContent(".who"), new RegExp(name));
        assert.equal(await page.locator(`nav a[href="${sees}"]`).count(), 1);
        assert.equal(await page.locator(`nav a[href="${not}"]`).count(), 0);
        const cookies = (await context.cookies(world.address)).filter((cookie) => cookie.name.startsWith("deskhand_"));
        assert.deepEqual(cookies.map((c) => [c.name, c.httpOnly, c.sameSite]), [["deskhand_session", true, "Lax"]]);
        await close();
      });
    }

    test("the keyboard alone is enough", async () => {
      const { page, close } = await world.visitor();
      await page.goto("/sign-in?next=/try");
      assert.equal(await page.evaluate(() => document.activeElement.id), "provider");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Shift+Tab");
      assert(await focusShows(page));
      await page.keyboard.press("Enter");
      await page.waitForURL((url) => url.origin === sso.issuer);
      await page.focus("button[value=ava]");
      await page.keyboard.press("Enter");
      await page.waitForURL(`${world.address}/try`);
      await close();
    });

    test("who has no role is told so, and is not in", async () => {
      const { page, close } = await world.visitor();
      await sent(page, "/try");
      await page.click("button[value=gus]");
      await page.waitForURL(`${world.address}/sign-in/provider/callback**`);
      assert.match(await page.textContent("[role=alert]"), /Company SSO knows you as Gus Guest, and gives you no role here/);
      await accessible(page, "no role");
      await shot(page, "sign-in-no-role");
      await page.goto("/try");
      assert.equal(new URL(page.url()).pathname, "/sign-in");
      await close();
    });

    test("who cancels is back, and can begin again", async () => {
      const { page, close } = await world.visitor();
      await sent(page, "/try");
      await page.click("button[value='']");
      await page.waitForURL(`${world.address}/sign-in/provider/callback**`);
      assert.match(await page.textContent("[role=alert]"), /was cancelled/);
      await accessible(page, "cancelled");
      await page.click("#provider");
      await page.click("button[value=ava]");
      await page.waitForURL(`${world.address}/try`);
      await close();
    });

    test("a callback counts once, and in the browser that began", async () => {
      const { page, close } = await world.visitor();
      let callback;
      page.on("request", (request) => { if (request.url().includes("/provider/callback")) callback = request.url(); });
      await sent(page, "/try");
      await page.click("button[value=ava]");
      await page.waitForURL(`${world.address}/try`);
      const replayed = await page.goto(callback);
      assert.equal(replayed.status(), 400);
      assert.match(await page.textContent("[role=alert]"), /begin again/);
      await accessible(page, "a used callback");
      await close();
      // Somebody is given another's callback to follow, with their own sign-in under way or not.
      const victim = await world.visitor();
      assert.equal((await victim.page.goto(callback)).status(), 400);
      await sent(victim.page, "/try");
      assert.equal((await victim.page.goto(callback)).status(), 400);
      await victim.page.goto("/try");
      assert.equal(new URL(victim.page.url()).pathname, "/sign-in");
      await victim.close();
    });

    test("a session that ends keeps what was typed, and comes back to it", async () => {
      const made = await world.triage(VPN);
      const { page, context, close } = await cameIn("ava");
      await page.goto(`/suggestions/${made.id}`);
      await page.fill("#reply", "Typed before the session ended.");
      await context.clearCookies({ name: "deskhand_session" });
      await page.press("#reply", "Control+Enter");
      await page.waitForSelector("#notes .bad");
      await page.click("#notes .bad button");
      // The provider still knows them, so it sends them straight back.
      await page.click("#provider");
      await page.waitForURL(`**/suggestions/${made.id}`);
      assert.equal(await page.inputValue("#reply"), "Typed before the session ended.");
      await page.press("#reply", "Control+Enter");
      await world.until("the decision", async () => (await world.suggestion(made.id)).status === "edited");
      await close();
    });

    test("who signs out here can sign out there", async () => {
      const { page, close } = await cameIn("lee");
      await page.click(".who button");
      await page.waitForURL("**/sign-in?out=1");
      await accessible(page, "signed out");
      await page.click("text=Sign out of Company SSO as well");
      await page.click("button[value=yes]");
      await page.waitForURL(`${world.address}/sign-in`);
      await page.click("#provider");
      await page.waitForSelector("button[value=lee]");
      await close();
    });

    test("it works without scripts", async () => {
      const { close } = await cameIn("ava", "/try", { javaScriptEnabled: false });
      await close();
    });

    for (const [name, options] of [
      ["light", {}],
      ["dark", { colorScheme: "dark" }],
      ["360", { viewport: { width: 360, height: 740 } }],
      ["german", { locale: "de-DE" }],
    ]) {
      test(`the page to sign in on, ${name}`, async () => {
        const { page, close } = await world.visitor(options);
        await page.goto("/sign-in");
        if (name === "german") assert.equal((await page.textContent("#provider")).trim(), "Mit Company SSO anmelden");
        await accessible(page, `sign-in, ${name}`);
        await fits(page, `sign-in, ${name}`);
        await shot(page, `sign-in-${name}`);
        await close();
      });
    }
  });
}
