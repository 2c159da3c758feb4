// Components as tests want them: what they have rendered is read from the page, and what hooks gave from `seen`.
import {
  Gate,
  PricingTable,
  QuotadProvider,
  UsageMeter,
  useBooleanEntitlement,
  useEntitlement,
  useEntitlements,
  useMeteredEntitlement,
} from "@quotad/react";
import { Component, StrictMode, version } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";

const HOOKS = { useBooleanEntitlement, useEntitlement, useMeteredEntitlement };

function Probe({ name, hook, query }) {
  const { error, ...found } = HOOKS[hook](query);
  (window.seen[name] ??= []).push({ ...found, error: error && { code: error.code, message: error.message } });
  return null;
}

function All() {
  const { entitlements, error, ...found } = useEntitlements();
  const has = entitlements.filter((each) => each.hasAccess).map((each) => each.feature.refId);
  (window.seen.all ??= []).push({ ...found, has, error: error?.code ?? null });
  return <p>{found.isLoading ? "reading" : `plan ${found.planId}, ${error?.code ?? "no error"}`}</p>;
}

class Boundary extends Component {
  state = {};
  static getDerivedStateFromError = (error) => ({ message: error.message });
  render = () => (this.state.message === undefined ? this.props.children : <p role="alert">{this.state.message}</p>);
}

function Tree({ provider, probes = {}, gate, meter, plans }) {
  const content = (
    <>
      <All />
      {Object.entries(probes).map(([name, [hook, query]]) => (
        <Probe key={name} name={name} hook={hook} query={query} />
      ))}
      {gate && (
        <Gate {...gate} denied={({ accessDeniedReason }) => `denied ${accessDeniedReason}`} loading="wait">
          open
        </Gate>
      )}
      {meter && <UsageMeter featureId={meter} denied="no such thing to measure" />}
      {plans && <PricingTable plans={plans} onSelect={(plan) => (window.chosen = plan.planId)} />}
    </>
  );
  return (
    <StrictMode>
      <Boundary>{provider === null ? content : <QuotadProvider {...provider}>{content}</QuotadProvider>}</Boundary>
    </StrictMode>
  );
}

function revived(value) {
  return JSON.parse(JSON.stringify(value), (_, each) => (each?.$date === undefined ? each : new Date(each.$date)));
}

let root;
const element = document.getElementById("root");

Object.assign(window, {
  version,
  seen: {},
  show(wanted) {
    root ??= createRoot(element);
    root.render(<Tree {...revived(wanted)} />);
  },
  hide() {
    root?.unmount();
    root = undefined;
    window.seen = {};
  },
  // As a server makes a page, and the browser takes it over.
  hydrate(wanted) {
    const tree = <Tree {...revived(wanted)} />;
    const made = renderToString(tree);
    element.innerHTML = made;
    root = hydrateRoot(element, tree);
    return made;
  },
});
