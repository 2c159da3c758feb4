// Routes that the guards of the examples are around, for tests: the customer is what a header says here.
import { createServer } from "node:http";
import { createRequire } from "node:module";

import { QuotadClient } from "../../clients/typescript/dist/index.js";
import { metered as middleware } from "../../examples/express/metered.js";
import { POST } from "../../examples/next-route/dist/app/api/exports/route.js";
import { metered } from "../../examples/next-route/dist/lib/metered.js";

const express = createRequire(new URL("../../examples/express/", import.meta.url))("express");
const quotad = new QuotadClient(process.env.QUOTAD_SERVER);
const fails = () => {
  throw new Error("the work failed");
};

const app = express();
const guard = (featureId) => middleware(quotad, featureId, (request) => request.get("x-customer"));
app.post("/exports", guard("exports"), (_request, response) => response.json({ exported: true }));
app.post("/sso", guard("sso"), (_request, response) => response.json({}));
app.post("/fails", guard("exports"), fails);
app.use((_error, _request, response, _next) => response.status(500).json({}));

const wanted = (featureId) => ({ quotad, featureId, customerOf: (request) => request.headers.get("x-customer") });
const handlers = {
  "/exports": metered(wanted("exports"), () => Response.json({ exported: true })),
  "/sso": metered(wanted("sso"), () => Response.json({})),
  "/fails": metered(wanted("exports"), fails),
  "/route": POST,
};
const next = createServer(async (asked, answer) => {
  const url = `http://localhost${asked.url}`;
  const request = new Request(url, { method: "POST", headers: { "x-customer": asked.headers["x-customer"] } });
  const response = await handlers[asked.url](request, {}).catch(() => Response.json({}, { status: 500 }));
  answer.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
});

const ports = [createServer(app), next].map(
  (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port))),
);
console.log(...(await Promise.all(ports)));
