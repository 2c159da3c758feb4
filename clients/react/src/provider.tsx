"use client";

import { BrowserClient, type BrowserOptions, type Entitlements, type Fallback, LiveEntitlements } from "@quotad/client/browser";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";

/** Whose entitlements are shown, and from where. */
export interface QuotadProviderProps extends BrowserOptions {
  /** Who is signed in; absent: nobody yet, and everything below it is loading. */
  readonly customerId?: string | undefined;
  /** A resource of the customer's; absent: the customer itself. */
  readonly resourceId?: string | undefined;
  /** As your server has read them for this page, to be shown before the first answer; also as it was in JSON. */
  readonly initial?: Entitlements | undefined;
  /** What is answered while nothing is known, by feature; one of a hook itself goes before it. */
  readonly fallbacks?: Readonly<Record<string, Fallback>> | undefined;
  readonly children?: ReactNode;
}

/** What hooks find. */
export interface Provided {
  readonly client: BrowserClient;
  /** Null: nobody is signed in. */
  readonly live: LiveEntitlements | null;
  readonly customerId: string;
  readonly resourceId: string;
  readonly fallbacks: Readonly<Record<string, Fallback>>;
}

const Context = createContext<Provided | null>(null);
Context.displayName = "Quotad";

const NONE = {};

/** Reads what the customer may use, keeps it fresh, and ends that when it is unmounted. */
export function QuotadProvider(props: QuotadProviderProps): ReactNode {
  const { address, token, customerKey, timeoutMs, customerId = "", resourceId = "", initial, fallbacks = NONE } = props;
  const client = useMemo(
    () => new BrowserClient({ address, token, customerKey, timeoutMs }),
    [address, token, customerKey, timeoutMs],
  );
  // `initial` is what is known at first: another one makes nothing new.
  const live = useMemo(() => {
    return customerId === "" ? null : new LiveEntitlements(client, customerId, { resourceId, initial });
  }, [client, customerId, resourceId]);
  useEffect(() => live?.start(), [live]);
  const provided = useMemo(
    () => ({ client, live, customerId, resourceId, fallbacks }),
    [client, live, customerId, resourceId, fallbacks],
  );
  return <Context.Provider value={provided}>{props.children}</Context.Provider>;
}

/** What the provider above has. */
export function useQuotad(): Provided {
  const provided = useContext(Context);
  if (provided === null) {
    throw new Error("quotad: there is no <QuotadProvider> above this component; put one around what uses its hooks");
  }
  return provided;
}
