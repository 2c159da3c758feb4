import "@quotad/react/styles.css";
import "./page.css";

import { type Plan, QuotadProvider, type QuotadProviderProps } from "@quotad/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Page } from "./page.js";

async function asked<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

// Who is signed in, and what is for sale: the backend knows.
const [session, plans] = await Promise.all([
  asked<QuotadProviderProps>("/api/session"),
  asked<Plan[]>("/api/plans"),
]);

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QuotadProvider {...session}>
      <Page plans={plans} />
    </QuotadProvider>
  </StrictMode>,
);
