// The backend of an application: it alone has secrets, decides, and counts.
import { createHmac } from "node:crypto";

import { QuotadClient } from "@quotad/client";
import { readPlans } from "@quotad/react/plans";
import express from "express";

import { metered } from "./metered.js";

const {
  PORT = "3000",
  QUOTAD_SERVER = "127.0.0.1:50051", // gRPC
  QUOTAD_HTTP = "http://127.0.0.1:8080", // as browsers reach it
  QUOTAD_TOKEN, // a secret, of the role `manage`
  QUOTAD_PAGE_TOKEN, // of the role `client`: no secret
  QUOTAD_SIGNING_KEY = "", // a secret: proves customers to quotad
  CUSTOMER = "customer-123",
} = process.env;

const quotad = new QuotadClient(QUOTAD_SERVER, { token: QUOTAD_TOKEN });

// Stands for your sessions: the customer is who is signed in, never what a request says.
const customerOf = (_request) => CUSTOMER;

const app = express();
app.use(express.json());

app.get("/api/session", (request, response) => {
  const customerId = customerOf(request);
  const customerKey = createHmac("sha256", QUOTAD_SIGNING_KEY).update(customerId).digest("hex");
  response.json({ address: QUOTAD_HTTP, token: QUOTAD_PAGE_TOKEN, customerId, customerKey });
});

app.get("/api/plans", async (_request, response) => {
  response.json(await readPlans(["free", "pro", "team"], { address: QUOTAD_HTTP, token: QUOTAD_TOKEN }));
});

app.post("/api/exports", metered(quotad, "exports", customerOf), (_request, response) => {
  response.json({ exported: true });
});

// After payment, in an application that takes any.
app.put("/api/plan", async (request, response) => {
  const { planId } = await quotad.provision(customerOf(request), String(request.body.planId));
  response.json({ planId });
});

app.use(express.static(new URL("../react/dist", import.meta.url).pathname));

const server = app.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
