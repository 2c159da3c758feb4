"use client";

import { type ReactNode, useId } from "react";

import { useEntitlements } from "./hooks.js";
import type { Plan, PlanFeature, PlanLimit, PlanPrice } from "./plans.js";

/** What is for sale. */
export interface PricingTableProps {
  /** As your backend has read them (`readPlans`). */
  readonly plans: readonly Plan[];
  /** Called with the plan that was chosen: your backend puts the customer on it. Absent: there are no buttons. */
  readonly onSelect?: ((plan: Plan) => void) | undefined;
  /** No plan can be chosen now, as one is being changed. */
  readonly busy?: boolean | undefined;
  /** How numbers and prices are written; absent: `en`. */
  readonly locale?: string | undefined;
  /** Further content of a plan, above its features. */
  readonly extra?: ((plan: Plan) => ReactNode) | undefined;
  /** The words on the button, and instead of one on the customer's own plan; absent: English ones. */
  readonly selectText?: ((plan: Plan) => ReactNode) | undefined;
  readonly currentText?: ReactNode;
}

/** The plans side by side, with the customer's own marked. */
export function PricingTable(props: PricingTableProps): ReactNode {
  const { plans, onSelect, busy = false, locale = "en", extra, currentText = "Your plan" } = props;
  const { selectText = (plan: Plan) => `Choose ${plan.name}` } = props;
  const { planId, isLoading } = useEntitlements();
  const id = useId();
  return (
    <ul className="quotad-plans" role="list">
      {plans.map((plan) => {
        const current = plan.planId === planId;
        const heading = `${id}${plan.planId}`;
        return (
          <li key={plan.planId} className="quotad-plan" aria-current={current || undefined} aria-labelledby={heading}>
            <h3 id={heading}>{plan.name}</h3>
            {plan.description !== "" && <p className="quotad-plan-about">{plan.description}</p>}
            {plan.prices.map((price) => (
              <p key={JSON.stringify(price)} className="quotad-price">
                <Price {...price} locale={locale} />
              </p>
            ))}
            {extra?.(plan)}
            <ul className="quotad-plan-features">
              {plan.features.map((feature) => (
                <li key={feature.featureId}>{featureText(feature, locale)}</li>
              ))}
            </ul>
            {current ? (
              <p className="quotad-plan-current">{currentText}</p>
            ) : (
              onSelect !== undefined && (
                <button type="button" disabled={busy || isLoading} onClick={() => onSelect(plan)}>
                  {selectText(plan)}
                </button>
              )
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Price({ amount, currency, billing, unit, locale }: PlanPrice & { readonly locale: string }): ReactNode {
  const whole = Number.isInteger(Number(amount)) ? { maximumFractionDigits: 0 } : {};
  const words = [unit === undefined ? "" : ` per ${unit}`, billing === "once" ? " once" : ` per ${billing}`];
  return (
    <>
      <strong>{Number(amount).toLocaleString(locale, { style: "currency", currency, ...whole })}</strong>
      {words.join("")}
    </>
  );
}

function featureText({ name, value, limits }: PlanFeature, locale: string): string {
  if (value !== null) return `${name}: ${/^\d+$/.test(value) ? Number(value).toLocaleString(locale) : value}`;
  return limits.length === 0 ? name : `${name}: ${limits.map((each) => limitText(each, locale)).join(", ")}`;
}

function limitText({ limit, per, perUnit, soft }: PlanLimit, locale: string): string {
  if (limit === null) return "unlimited";
  const unit = perUnit ? " per unit bought" : "";
  return `${limit.toLocaleString(locale)}${unit}${per && ` per ${per}`}${soft ? ", then more" : ""}`;
}
