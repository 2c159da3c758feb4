"""The types of events that webhooks carry; docs/webhooks.md has what is in each."""

TEST = "webhook.test"
"""Sent when it is asked for, whatever a receiver has subscribed to."""

CATALOG_PUBLISHED = "catalog.published"
CUSTOMER_CHANGED = "customer.changed"
CUSTOMER_ERASED = "customer.erased"
TRIAL_ENDING = "trial.ending"
PROMOTION_ENDING = "promotion.ending"
THRESHOLD_REACHED = "usage.threshold_reached"
LIMIT_REACHED = "usage.limit_reached"

EVENT_TYPES = (
    THRESHOLD_REACHED,
    LIMIT_REACHED,
    TRIAL_ENDING,
    PROMOTION_ENDING,
    CUSTOMER_CHANGED,
    CUSTOMER_ERASED,
    CATALOG_PUBLISHED,
)
