import { Gate, type Plan, PricingTable, UsageMeter, useEntitlements, useMeteredEntitlement } from "@quotad/react";
import { useState } from "react";

export function Page({ plans }: { readonly plans: readonly Plan[] }) {
  const { planName, error } = useEntitlements();
  const exports = useMeteredEntitlement({ featureId: "exports" });
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);

  // The backend decides: what is shown here may be a moment old.
  async function exportNow() {
    const response = await fetch("/api/exports", { method: "POST" });
    if (response.ok) setSaid("Exported.");
    else setSaid(response.status === 429 ? "No exports are left in this period." : "Not possible now. Try again.");
  }

  async function choose({ planId }: Plan) {
    setBusy(true);
    const headers = { "content-type": "application/json" };
    await fetch("/api/plan", { method: "PUT", headers, body: JSON.stringify({ planId }) });
    setBusy(false); // what the plan gives is shown by itself
  }

  return (
    <main>
      <header>
        <h1>Exports</h1>
        <p>{planName && `Plan: ${planName}`}</p>
      </header>

      {error !== null && <p role="alert">What you may use is not known now: {error.message}</p>}

      <section aria-label="Usage" className="panel">
        <UsageMeter featureId="exports" />
        <UsageMeter featureId="ai-tokens" />
        <UsageMeter featureId="seats" />
        <div className="actions">
          <button type="button" disabled={!exports.hasAccess} onClick={() => void exportNow()}>
            Export
          </button>
          <Gate featureId="csv-export" denied={<span className="hint">CSV files are part of the plan Team.</span>}>
            <button type="button">Export as CSV</button>
          </Gate>
        </div>
        <p role="status">{said}</p>
      </section>

      <h2>Plans</h2>
      <PricingTable plans={plans} busy={busy} onSelect={(plan) => void choose(plan)} />
    </main>
  );
}
