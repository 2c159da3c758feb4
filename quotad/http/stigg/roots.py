"""Which call answers which root field."""

from collections.abc import Mapping

from quotad.http.stigg import mutations, queries, usage
from quotad.http.stigg.graphql import RootCall

QUERIES: Mapping[str, RootCall] = {
    "getCustomerByRefId": queries.get_customer,
    "entitlementsState": queries.entitlements_state,
    "cachedEntitlements": queries.entitlements,
    "entitlements": queries.entitlements,
    "entitlement": queries.entitlement,
    "getActiveSubscriptions": queries.active_subscriptions,
    "getSubscription": queries.get_subscription,
    "subscriptions": queries.subscriptions,
    "usageHistoryV2": queries.usage_history,
    "sdkConfiguration": queries.sdk_configuration,
}

MUTATIONS: Mapping[str, RootCall] = {
    "provisionCustomer": mutations.provision_customer,
    "provisionSubscription": mutations.provision_subscription,
    "reportUsage": usage.report_usage,
    "reportUsageBulk": usage.report_usage_bulk,
    "reportEvent": usage.report_event,
    "updateCustomer": mutations.update_customer,
    "updateOneCustomer": mutations.update_customer,
    "archiveCustomer": mutations.archive_customer,
    "unarchiveCustomer": mutations.unarchive_customer,
    "cancelSubscription": mutations.cancel_subscription,
    "updateSubscription": mutations.update_subscription,
    "grantPromotionalEntitlements": mutations.grant_promotional,
    "revokePromotionalEntitlement": mutations.revoke_promotional,
}
