"use client";

import type { MeteredEntitlement } from "@quotad/client/browser";
import { type ReactNode, useId } from "react";

import { type Status, useMeteredEntitlement } from "./hooks.js";

/** What is measured, and in which words. */
export interface UsageMeterProps {
  readonly featureId: string;
  /** Absent: the name that the catalog gives. */
  readonly label?: ReactNode;
  /** How numbers and days are written; absent: `en`. */
  readonly locale?: string | undefined;
  /** The words below the meter; absent: English ones. */
  readonly text?: ((entitlement: MeteredEntitlement & Status) => ReactNode) | undefined;
  /** Shown until it is known, and instead of a meter where the plan has no such feature. */
  readonly loading?: ReactNode;
  readonly denied?: ReactNode;
}

/** How much of a limit is used, as a `meter` with a label. */
export function UsageMeter({ featureId, label, locale = "en", text, loading, denied }: UsageMeterProps): ReactNode {
  const id = useId();
  const entitlement = useMeteredEntitlement({ featureId });
  const { usageLimit, isUnlimited, currentUsage, feature } = entitlement;
  if (entitlement.isLoading) return loading;
  if (usageLimit === null && !isUnlimited) return denied;
  const words = text?.(entitlement) ?? <UsageText {...entitlement} locale={locale} />;
  const name = label ?? feature?.displayName ?? featureId;
  if (usageLimit === null) {
    return (
      <div className="quotad-meter" data-state="unlimited">
        <span className="quotad-meter-label">{name}</span>
        <span className="quotad-meter-text">{words}</span>
      </div>
    );
  }
  // A limit of 0 is full. The last unit is what the browser's third colour is for.
  const [value, max] = usageLimit > 0 ? [Math.min(currentUsage, usageLimit), usageLimit] : [1, 1];
  const near = max * 0.8;
  return (
    <div className="quotad-meter" data-state={value >= max ? "full" : value >= near ? "near" : "open"}>
      <label className="quotad-meter-label" htmlFor={id}>
        {name}
      </label>
      <meter id={id} aria-describedby={`${id}text`} value={value} max={max} low={near * 0.9999} high={max * 0.9999} optimum={0} />
      <span className="quotad-meter-text" id={`${id}text`}>
        {words}
      </span>
    </div>
  );
}

function UsageText(props: MeteredEntitlement & { readonly locale: string }): ReactNode {
  const { usageLimit, currentUsage, usagePeriodEnd, locale } = props;
  const number = (amount: number) => amount.toLocaleString(locale);
  const used = usageLimit === null ? `${number(currentUsage)} used, unlimited` : `${number(currentUsage)} of ${number(usageLimit)} used`;
  const past = usageLimit !== null && currentUsage > usageLimit ? `, ${number(currentUsage - usageLimit)} past the limit` : "";
  if (usagePeriodEnd === null) return used + past;
  // A server that makes the page may be in another time zone.
  return (
    <>
      {used + past}, resets{" "}
      <time dateTime={usagePeriodEnd.toISOString()} suppressHydrationWarning>
        {usagePeriodEnd.toLocaleString(locale, { dateStyle: "medium", ...(soon(usagePeriodEnd) && { timeStyle: "short" }) })}
      </time>
    </>
  );
}

function soon(when: Date): boolean {
  return when.getTime() - Date.now() < 86_400_000;
}
