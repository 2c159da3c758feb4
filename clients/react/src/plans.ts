/** What a pricing table shows, made of the catalog by your backend: the catalog itself is for no page. */

/** One price, as the catalog has it. */
export interface PlanPrice {
  /** A decimal number. */
  readonly amount: string;
  /** Three letters of ISO 4217. */
  readonly currency: string;
  /** `month`, `year`, or `once`. */
  readonly billing: string;
  /** What it is for one of, as `seat`; absent: all. */
  readonly unit?: string;
}

/** One limit of a feature. */
export interface PlanLimit {
  /** Null: unlimited. */
  readonly limit: number | null;
  /** `month`, `5 hours`; empty: for good. */
  readonly per: string;
  /** For each unit that is bought, such as a seat. */
  readonly perUnit: boolean;
  /** More may be used, and costs. */
  readonly soft: boolean;
}

/** One feature of a plan. */
export interface PlanFeature {
  readonly featureId: string;
  readonly name: string;
  /** Of a config feature; null: of another one. */
  readonly value: string | null;
  /** Of a metered feature. */
  readonly limits: readonly PlanLimit[];
}

/** One plan as it is sold: plain JSON. */
export interface Plan {
  readonly planId: string;
  readonly name: string;
  readonly description: string;
  readonly prices: readonly PlanPrice[];
  readonly features: readonly PlanFeature[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Where the catalog is read. */
export interface PlansOptions {
  /** Where quotad serves HTTP: `http://127.0.0.1:8080`. */
  readonly address: string;
  /** With the right to read: a secret of your backend. */
  readonly token?: string | undefined;
}

interface Document {
  readonly features: Record<string, { name?: string; type: string; unit?: string }>;
  readonly plans: Record<string, Written | undefined>;
  readonly groups?: Record<string, { entitlements?: Record<string, unknown> } | undefined>;
}

interface Written {
  readonly name?: string;
  readonly description?: string;
  readonly metadata?: Record<string, string>;
  readonly extends?: string;
  readonly groups?: readonly string[];
  readonly prices?: readonly { amount: string; currency: string; billing: string; feature?: string }[];
  readonly entitlements?: Record<string, unknown>;
}

/**
 * Reads the plans that are for sale, in this order. Call it in your backend, and give the page what it returns.
 *
 * @throws Error the server does not answer with a catalog, or has no such plan.
 */
export async function readPlans(planIds: readonly string[], { address, token }: PlansOptions): Promise<Plan[]> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${address}/v1/catalog`, { headers });
  const answer = (await response.json()) as { document?: Document; detail?: string };
  if (answer.document === undefined) throw new Error(`quotad: no catalog, ${answer.detail ?? response.status}`);
  return plansOf(answer.document, planIds);
}

/** The plans of a catalog's document. */
function plansOf({ features, plans, groups = {} }: Document, planIds: readonly string[]): Plan[] {
  /** A plan's own entries lie over its groups, and those over the plan that it extends. */
  const entries = (plan: Written): Record<string, unknown> => {
    const base = plan.extends === undefined ? undefined : plans[plan.extends];
    const own = [...(plan.groups ?? []).map((each) => groups[each]?.entitlements ?? {}), plan.entitlements ?? {}];
    return Object.assign(base === undefined ? {} : entries(base), ...own.map(forAll));
  };
  return planIds.map((planId) => {
    const plan = plans[planId];
    if (plan === undefined) throw new Error(`quotad: the catalog has no plan ${JSON.stringify(planId)}`);
    const granted = entries(plan);
    return {
      planId,
      name: plan.name ?? planId,
      description: plan.description ?? "",
      metadata: plan.metadata ?? {},
      prices: (plan.prices ?? []).map(({ feature, ...price }) => {
        return feature === undefined ? price : { ...price, unit: features[feature]?.unit ?? feature };
      }),
      features: Object.keys(features)
        .filter((each) => (granted[each] ?? false) !== false)
        .map((featureId) => featureOf(featureId, features[featureId], granted[featureId])),
    };
  });
}

/** Without what only a share of the plan's customers has, or nobody has now. */
function forAll(entitlements: Record<string, unknown>): Record<string, unknown> {
  const now = Date.now();
  const sold = ([, entry]: [string, unknown]) => {
    const { rollout, from, until } = Object(entry) as { rollout?: unknown; from?: string; until?: string };
    return rollout === undefined && !(Date.parse(from ?? "") > now) && !(Date.parse(until ?? "") <= now);
  };
  return Object.fromEntries(Object.entries(entitlements).filter(sold));
}

function featureOf(featureId: string, feature: Document["features"][string] | undefined, entry: unknown): PlanFeature {
  const named = { featureId, name: feature?.name ?? featureId };
  if (feature?.type === "config") {
    // With dates it is written apart from them.
    const value = (Object(entry) as { value?: unknown }).value ?? entry;
    return { ...named, value: Array.isArray(value) ? value.join(", ") : String(value), limits: [] };
  }
  return { ...named, value: null, limits: feature?.type === "metered" ? limitsOf(entry) : [] };
}

function limitsOf(entry: unknown): PlanLimit[] {
  const { limits = [], unlimited } = Object(entry) as { limits?: Record<string, unknown>[]; unlimited?: boolean };
  if (entry === "unlimited" || unlimited === true) return [{ limit: null, per: "", perUnit: false, soft: false }];
  return limits.map(({ limit, per = "", soft = false }) => {
    const { per_unit: perUnit } = Object(limit) as { per_unit?: unknown };
    const amount = Number(perUnit ?? limit);
    return {
      limit: Number.isFinite(amount) ? amount : null, // of one that is unlimited there is none
      per: String(per),
      perUnit: perUnit !== undefined,
      soft: soft === true,
    };
  });
}
