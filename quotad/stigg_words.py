"""Words of Stigg's public documentation, which the HTTP edge and the client share."""

from collections.abc import Mapping

from quotad.decision import Reason

DENIED: Mapping[int, str] = {
    Reason.CUSTOMER_NOT_FOUND: "CustomerNotFound",
    Reason.CUSTOMER_ARCHIVED: "CustomerIsArchived",
    Reason.NO_ACTIVE_SUBSCRIPTION: "NoActiveSubscription",
    Reason.FEATURE_NOT_FOUND: "FeatureNotFound",
    Reason.NOT_ENTITLED: "NoFeatureEntitlementInSubscription",
    Reason.REVOKED: "Revoked",
    Reason.VALUE_NOT_ALLOWED: "RequestedValuesMismatch",
    Reason.LIMIT_EXCEEDED: "RequestedUsageExceedingLimit",
    Reason.INSUFFICIENT_CREDITS: "InsufficientCredits",
}
"""`accessDeniedReason` by the reason of a denial; of an answer that allows there is none."""

RESETS = {"year": "YEAR", "month": "MONTH", "week": "WEEK", "day": "DAY", "hour": "HOUR"}
"""`resetPeriod` by window, as a catalog spells it; others have no word."""

REPORT_KEY_KEPT_MS = 7 * 86_400_000
"""How long the key of a usage report is remembered."""
