// The console in a real browser. One server for all of it, but for sign-in through a provider; the
// parts run in this order.

import { after, before } from "node:test";

import { agents } from "./agents.mjs";
import { leads } from "./leads.mjs";
import { looks } from "./looks.mjs";
import { reports } from "./reports.mjs";
import { signIn } from "./sign_in.mjs";
import { speed } from "./speed.mjs";
import { troubles } from "./troubles.mjs";
import { World } from "./support.mjs";

const world = new World();
before(() => world.start(), { timeout: 180_000 });
after(() => world.stop());

agents(world);
troubles(world);
speed(world);
leads(world);
reports(world);
looks(world);
signIn();
