// app/api/exports/route.ts of an application with Next.js. Nothing of Next.js itself is needed for it.
import { QuotadClient } from "@quotad/client";

import { metered } from "../../../lib/metered.js";

/** gRPC needs Node, not the edge runtime. */
export const runtime = "nodejs";

/** One for the process: its calls share a connection. */
const quotad = new QuotadClient(process.env["QUOTAD_SERVER"], { token: process.env["QUOTAD_TOKEN"] });

/** Stands for your sessions. */
const customerOf = () => process.env["CUSTOMER"] ?? "customer-123";

export const POST = metered({ quotad, featureId: "exports", customerOf }, () => Response.json({ exported: true }));
