// What services, sales and marketing do with Stigg, as an article shows it: here on quotad.
// Needs `quotad dev`. The same in Python is article.py.
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

import { EntitlementsClient as Stigg } from "@quotad/client/entitlements";

const http = process.env.QUOTAD_HTTP ?? "http://127.0.0.1:8080";
const headers = { "content-type": "application/json", "x-api-key": process.env.STIGG_API_KEY ?? "any" };

// The address of gRPC is in the variable QUOTAD_SERVER.
const stigg = Stigg.initialize({ apiKey: process.env.STIGG_API_KEY });
await stigg.waitForInitialization();

console.log("1. A service checks, works and reports");

const entitlement = await stigg.getMeteredEntitlement({ customerId: "customer-123", featureId: "exports" });
console.log("exports:", entitlement.hasAccess, entitlement.currentUsage, "of", entitlement.usageLimit);

if (entitlement.hasAccess) {
  // ... the work, and then what was used. The key makes a repeat safe.
  const report = { customerId: "customer-123", featureId: "exports", value: 1, idempotencyKey: "export-42" };
  await stigg.reportUsage(report);
  const { currentUsage } = await stigg.reportUsage(report);
  console.log("used:", currentUsage);
}

const csv = await stigg.getBooleanEntitlement({ customerId: "customer-123", featureId: "csv-export" });
console.log("csv-export:", csv.hasAccess, csv.accessDeniedReason);

console.log("2. ACME buys 50 seats and has them at once");

const graphql = async (query) => {
  const response = await fetch(`${http}/graphql`, { method: "POST", headers, body: JSON.stringify({ query }) });
  return (await response.json()).data;
};

const { provisionCustomer: acme } = await graphql(`mutation {
  provisionCustomer(input: {
    customerId: "ACME", email: "cto@acme.example",
    subscriptionParams: { planId: "team", unitQuantity: 50 }
  }) { customer { refId } subscription { status } }
}`);
console.log(acme.customer.refId, acme.subscription.status);

const seats = { customerId: "ACME", featureId: "seats" };
for (const requestedUsage of [50, 51]) {
  const { hasAccess } = await stigg.getMeteredEntitlement({ ...seats, options: { requestedUsage } });
  console.log(requestedUsage, "seats:", hasAccess);
}

const { getCustomerByRefId: customer } = await graphql(`{
  getCustomerByRefId(refId: "ACME") {
    entitlements { feature { refId displayName } hasAccess usageLimit currentUsage }
  }
}`);
for (const { feature, hasAccess, usageLimit } of customer.entitlements) {
  if (feature.refId === "seats") console.log(feature.displayName, hasAccess, usageLimit);
}

console.log("3. Marketing switches a feature on for every plan, and sees who outgrows theirs");

const files = ["features.yaml", "plans.yaml"].map(async (name) => {
  const content = await readFile(new URL(`../catalog/${name}`, import.meta.url), "utf8");
  return { name, content: content.replace("support: community\n", "support: community\n      csv-export: true\n") };
});
await fetch(`${http}/v1/catalog`, { method: "POST", headers, body: JSON.stringify({ files: await Promise.all(files) }) });

const now = await stigg.getBooleanEntitlement({ customerId: "customer-123", featureId: "csv-export" });
console.log("csv-export:", now.hasAccess);

await stigg.reportUsage({ customerId: "customer-500", featureId: "exports", value: 15 });
for (;;) {
  const answer = await fetch(`${http}/v1/insights?feature_id=exports`, { headers });
  const [{ above }] = (await answer.json()).features;
  if (above.length > 0) {
    console.log(above[0].customer_id, "is at", above[0].percent, "%");
    break;
  }
  await pause(100); // insights come a moment after the usage
}

stigg.close();
