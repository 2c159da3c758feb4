"use client";

import type { AnyEntitlement } from "@quotad/client/browser";
import type { ReactNode } from "react";

import { type Status, useEntitlement, type UsageOptions } from "./hooks.js";

/** What is shown to whom. */
export interface GateProps extends UsageOptions {
  readonly featureId: string;
  /** Shown with access. */
  readonly children?: ReactNode;
  /** Shown without: why is `accessDeniedReason`. */
  readonly denied?: ReactNode | ((entitlement: AnyEntitlement & Status) => ReactNode);
  /** Shown until it is known, where there is no fallback. */
  readonly loading?: ReactNode;
}

/** Shows its children to customers that may use a feature. It hides, and protects nothing: servers decide. */
export function Gate({ featureId, children, denied, loading, ...options }: GateProps): ReactNode {
  const entitlement = useEntitlement({ featureId, options });
  if (entitlement.hasAccess) return children;
  if (entitlement.isLoading) return loading;
  return typeof denied === "function" ? denied(entitlement) : denied;
}
