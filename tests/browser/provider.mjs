// A real provider of identities: npm's oidc-provider, with a page to sign in on that asks for no
// password. It goes by another name than the server, so that browsers take them for two sites.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = createRequire(join(process.env.BROWSER_OUT, "modules", "package.json"));

export const CLIENT = "deskhand";
export const SECRET = "between the two of them";

// Whom it knows, and what it says of them.
const PEOPLE = {
  ava: { name: "Ava Agent", groups: ["everybody", "desk"] },
  lee: { name: "Lee Lead", groups: ["desk", "leads"] },
  ada: { name: "Ada Admin", groups: ["ops"] },
  gus: { name: "Gus Guest", groups: ["everybody"] },
};

const PAGE = `<!doctype html><html lang="en"><title>Company SSO</title><h1>Company SSO</h1><form method="post">
${Object.keys(PEOPLE).map((who) => `<button name="who" value="${who}">${who}</button>`).join("\n")}
<button name="who" value="">Cancel</button></form>`;

// A port that nobody listens on now.
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class CompanySso {
  constructor(port, console) {
    this.port = port;
    this.console = console;
    this.issuer = `http://localhost:${port}`;
  }

  async start() {
    const { default: Provider } = await import(pathToFileURL(modules.resolve("oidc-provider")));
    const provider = new Provider(this.issuer, {
      clients: [{
        client_id: CLIENT,
        client_secret: SECRET,
        redirect_uris: [`${this.console}/sign-in/provider/callback`],
        post_logout_redirect_uris: [`${this.console}/sign-in`],
      }],
      claims: { openid: ["sub"], profile: ["name"], groups: ["groups"] },
      cookies: { keys: ["only for tests"] },
      features: {
        devInteractions: { enabled: false },
        rpInitiatedLogout: {
          logoutSource: (context, form) => {
            context.type = "html";
            context.body = `<!doctype html><html lang="en"><title>Leave</title>${form}<button form="op.logoutForm" name="logout" value="yes">Leave</button>`;
          },
        },
      },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) }),
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      // Nobody is asked whether the company's own service may know them.
      loadExistingGrant: async (context) => {
        const { client, session, provider: { Grant } } = context.oidc;
        const grant = new Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope("openid profile groups");
        await grant.save();
        return grant;
      },
      pkce: { required: () => true },
      // Of the defaults, said so that the provider does not warn.
      ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600, Session: 3600 },
    });
    const answer = provider.callback();
    this.server = createServer(async (request, response) => {
      if (!request.url.startsWith("/interaction/")) return answer(request, response);
      if (request.method === "GET") return response.setHeader("content-type", "text/html").end(PAGE);
      let sent = "";
      for await (const part of request) sent += part;
      const who = new URLSearchParams(sent).get("who");
      const result = who ? { login: { accountId: who } } : { error: "access_denied", error_description: "cancelled" };
      await provider.interactionFinished(request, response, result);
    });
    await new Promise((done, failed) => this.server.once("error", failed).listen(this.port, "localhost", done));
  }

  async stop() {
    this.server?.closeAllConnections();
    await new Promise((done) => (this.server ? this.server.close(done) : done()));
  }
}
