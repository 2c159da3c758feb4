import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_NORMAL: _ClassVar[Mode]
    MODE_CHECK_ONLY: _ClassVar[Mode]
    MODE_ADJUST_ONLY: _ClassVar[Mode]
    MODE_BEST_EFFORT: _ClassVar[Mode]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_CUSTOMER_NOT_FOUND: _ClassVar[Reason]
    REASON_CUSTOMER_ARCHIVED: _ClassVar[Reason]
    REASON_NO_ACTIVE_SUBSCRIPTION: _ClassVar[Reason]
    REASON_FEATURE_NOT_FOUND: _ClassVar[Reason]
    REASON_NOT_ENTITLED: _ClassVar[Reason]
    REASON_REVOKED: _ClassVar[Reason]
    REASON_VALUE_NOT_ALLOWED: _ClassVar[Reason]
    REASON_LIMIT_EXCEEDED: _ClassVar[Reason]
    REASON_INSUFFICIENT_CREDITS: _ClassVar[Reason]
    REASON_OVER_SOFT_LIMIT: _ClassVar[Reason]
    REASON_UNLIMITED: _ClassVar[Reason]
    REASON_FEATURE_ENABLED: _ClassVar[Reason]
    REASON_WITHIN_LIMIT: _ClassVar[Reason]
    REASON_OVER_LIMIT: _ClassVar[Reason]

class SourceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_KIND_UNSPECIFIED: _ClassVar[SourceKind]
    SOURCE_KIND_PLAN: _ClassVar[SourceKind]
    SOURCE_KIND_BASE_PLAN: _ClassVar[SourceKind]
    SOURCE_KIND_ADDON: _ClassVar[SourceKind]
    SOURCE_KIND_TRIAL: _ClassVar[SourceKind]
    SOURCE_KIND_PROMOTION: _ClassVar[SourceKind]
    SOURCE_KIND_OVERRIDE: _ClassVar[SourceKind]
    SOURCE_KIND_DEFAULT_PLAN: _ClassVar[SourceKind]

class FeatureType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_TYPE_UNSPECIFIED: _ClassVar[FeatureType]
    FEATURE_TYPE_BOOLEAN: _ClassVar[FeatureType]
    FEATURE_TYPE_CONFIG: _ClassVar[FeatureType]
    FEATURE_TYPE_METERED: _ClassVar[FeatureType]

class ChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_KIND_UNSPECIFIED: _ClassVar[ChangeKind]
    CHANGE_KIND_CUSTOMER_CHANGED: _ClassVar[ChangeKind]
    CHANGE_KIND_CUSTOMER_ERASED: _ClassVar[ChangeKind]
    CHANGE_KIND_CATALOG_CHANGED: _ClassVar[ChangeKind]
    CHANGE_KIND_USAGE_CHANGED: _ClassVar[ChangeKind]
    CHANGE_KIND_REFETCH: _ClassVar[ChangeKind]
    CHANGE_KIND_POSITION: _ClassVar[ChangeKind]
MODE_UNSPECIFIED: Mode
MODE_NORMAL: Mode
MODE_CHECK_ONLY: Mode
MODE_ADJUST_ONLY: Mode
MODE_BEST_EFFORT: Mode
REASON_UNSPECIFIED: Reason
REASON_CUSTOMER_NOT_FOUND: Reason
REASON_CUSTOMER_ARCHIVED: Reason
REASON_NO_ACTIVE_SUBSCRIPTION: Reason
REASON_FEATURE_NOT_FOUND: Reason
REASON_NOT_ENTITLED: Reason
REASON_REVOKED: Reason
REASON_VALUE_NOT_ALLOWED: Reason
REASON_LIMIT_EXCEEDED: Reason
REASON_INSUFFICIENT_CREDITS: Reason
REASON_OVER_SOFT_LIMIT: Reason
REASON_UNLIMITED: Reason
REASON_FEATURE_ENABLED: Reason
REASON_WITHIN_LIMIT: Reason
REASON_OVER_LIMIT: Reason
SOURCE_KIND_UNSPECIFIED: SourceKind
SOURCE_KIND_PLAN: SourceKind
SOURCE_KIND_BASE_PLAN: SourceKind
SOURCE_KIND_ADDON: SourceKind
SOURCE_KIND_TRIAL: SourceKind
SOURCE_KIND_PROMOTION: SourceKind
SOURCE_KIND_OVERRIDE: SourceKind
SOURCE_KIND_DEFAULT_PLAN: SourceKind
FEATURE_TYPE_UNSPECIFIED: FeatureType
FEATURE_TYPE_BOOLEAN: FeatureType
FEATURE_TYPE_CONFIG: FeatureType
FEATURE_TYPE_METERED: FeatureType
CHANGE_KIND_UNSPECIFIED: ChangeKind
CHANGE_KIND_CUSTOMER_CHANGED: ChangeKind
CHANGE_KIND_CUSTOMER_ERASED: ChangeKind
CHANGE_KIND_CATALOG_CHANGED: ChangeKind
CHANGE_KIND_USAGE_CHANGED: ChangeKind
CHANGE_KIND_REFETCH: ChangeKind
CHANGE_KIND_POSITION: ChangeKind

class CheckAndConsumeRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "quantity", "idempotency_key", "mode", "resource_id", "requested_values", "explain", "idempotency_ttl", "occurred_at")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_VALUES_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_TTL_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    quantity: int
    idempotency_key: str
    mode: Mode
    resource_id: str
    requested_values: _containers.RepeatedScalarFieldContainer[str]
    explain: bool
    idempotency_ttl: _duration_pb2.Duration
    occurred_at: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., resource_id: _Optional[str] = ..., requested_values: _Optional[_Iterable[str]] = ..., explain: _Optional[bool] = ..., idempotency_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckAndConsumeAllRequest(_message.Message):
    __slots__ = ("customer_id", "items", "idempotency_key", "mode", "idempotency_ttl", "explain")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_TTL_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    items: _containers.RepeatedCompositeFieldContainer[ConsumeItem]
    idempotency_key: str
    mode: Mode
    idempotency_ttl: _duration_pb2.Duration
    explain: bool
    def __init__(self, customer_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ConsumeItem, _Mapping]]] = ..., idempotency_key: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., idempotency_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., explain: _Optional[bool] = ...) -> None: ...

class ConsumeItem(_message.Message):
    __slots__ = ("feature_id", "quantity", "resource_id", "requested_values")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_VALUES_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    quantity: int
    resource_id: str
    requested_values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., resource_id: _Optional[str] = ..., requested_values: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckAndConsumeAllResponse(_message.Message):
    __slots__ = ("allowed", "reason", "stopped_by", "items", "retry_after", "replayed", "catalog_version", "is_fallback")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STOPPED_BY_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    reason: Reason
    stopped_by: int
    items: _containers.RepeatedCompositeFieldContainer[CheckAndConsumeResponse]
    retry_after: _duration_pb2.Duration
    replayed: bool
    catalog_version: int
    is_fallback: bool
    def __init__(self, allowed: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., stopped_by: _Optional[int] = ..., items: _Optional[_Iterable[_Union[CheckAndConsumeResponse, _Mapping]]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., replayed: _Optional[bool] = ..., catalog_version: _Optional[int] = ..., is_fallback: _Optional[bool] = ...) -> None: ...

class RefundRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "quantity", "idempotency_key", "resource_id", "occurred_at", "taken_under", "idempotency_ttl", "reason", "actor")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    TAKEN_UNDER_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_TTL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    quantity: int
    idempotency_key: str
    resource_id: str
    occurred_at: _timestamp_pb2.Timestamp
    taken_under: str
    idempotency_ttl: _duration_pb2.Duration
    reason: str
    actor: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., resource_id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., taken_under: _Optional[str] = ..., idempotency_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class SetUsageRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "used", "resource_id", "per", "idempotency_key", "idempotency_ttl", "reason", "actor")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_TTL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    used: int
    resource_id: str
    per: str
    idempotency_key: str
    idempotency_ttl: _duration_pb2.Duration
    reason: str
    actor: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., used: _Optional[int] = ..., resource_id: _Optional[str] = ..., per: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., idempotency_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ReserveRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "quantity", "resource_id", "reservation_id", "ttl", "items")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    quantity: int
    resource_id: str
    reservation_id: str
    ttl: _duration_pb2.Duration
    items: _containers.RepeatedCompositeFieldContainer[ConsumeItem]
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., resource_id: _Optional[str] = ..., reservation_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., items: _Optional[_Iterable[_Union[ConsumeItem, _Mapping]]] = ...) -> None: ...

class ReserveResponse(_message.Message):
    __slots__ = ("decision", "expires_at")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    decision: CheckAndConsumeResponse
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, decision: _Optional[_Union[CheckAndConsumeResponse, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CommitRequest(_message.Message):
    __slots__ = ("customer_id", "reservation_id", "quantity", "allow_overrun", "items")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_OVERRUN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    reservation_id: str
    quantity: int
    allow_overrun: bool
    items: _containers.RepeatedCompositeFieldContainer[CommitItem]
    def __init__(self, customer_id: _Optional[str] = ..., reservation_id: _Optional[str] = ..., quantity: _Optional[int] = ..., allow_overrun: _Optional[bool] = ..., items: _Optional[_Iterable[_Union[CommitItem, _Mapping]]] = ...) -> None: ...

class CommitItem(_message.Message):
    __slots__ = ("feature_id", "resource_id", "quantity")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    resource_id: str
    quantity: int
    def __init__(self, feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., quantity: _Optional[int] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("customer_id", "reservation_id")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    reservation_id: str
    def __init__(self, customer_id: _Optional[str] = ..., reservation_id: _Optional[str] = ...) -> None: ...

class ExtendRequest(_message.Message):
    __slots__ = ("customer_id", "reservation_id", "ttl")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    reservation_id: str
    ttl: _duration_pb2.Duration
    def __init__(self, customer_id: _Optional[str] = ..., reservation_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ExtendResponse(_message.Message):
    __slots__ = ("expires_at",)
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AcquireLeaseRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "quantity", "resource_id", "lease_id", "ttl")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    quantity: int
    resource_id: str
    lease_id: str
    ttl: _duration_pb2.Duration
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., resource_id: _Optional[str] = ..., lease_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewLeaseRequest(_message.Message):
    __slots__ = ("customer_id", "lease_id", "sequence", "spent", "quantity", "ttl")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    lease_id: str
    sequence: int
    spent: int
    quantity: int
    ttl: _duration_pb2.Duration
    def __init__(self, customer_id: _Optional[str] = ..., lease_id: _Optional[str] = ..., sequence: _Optional[int] = ..., spent: _Optional[int] = ..., quantity: _Optional[int] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LeaseResponse(_message.Message):
    __slots__ = ("decision", "granted", "term", "expires_at", "last")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    decision: CheckAndConsumeResponse
    granted: int
    term: _duration_pb2.Duration
    expires_at: _timestamp_pb2.Timestamp
    last: bool
    def __init__(self, decision: _Optional[_Union[CheckAndConsumeResponse, _Mapping]] = ..., granted: _Optional[int] = ..., term: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last: _Optional[bool] = ...) -> None: ...

class ReleaseLeaseRequest(_message.Message):
    __slots__ = ("customer_id", "lease_id", "spent")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    lease_id: str
    spent: int
    def __init__(self, customer_id: _Optional[str] = ..., lease_id: _Optional[str] = ..., spent: _Optional[int] = ...) -> None: ...

class ReleaseLeaseResponse(_message.Message):
    __slots__ = ("returned",)
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    returned: int
    def __init__(self, returned: _Optional[int] = ...) -> None: ...

class CheckAndConsumeResponse(_message.Message):
    __slots__ = ("allowed", "reason", "granted", "limit", "unlimited", "soft_limit", "used", "remaining", "overage", "resets_at", "retry_after", "limits", "replayed", "is_fallback", "catalog_version", "explanation", "value", "values", "variant", "would_deny", "pool_id", "decimals", "reserved", "leased", "items", "stopped_by")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    UNLIMITED_FIELD_NUMBER: _ClassVar[int]
    SOFT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    IS_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    WOULD_DENY_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    STOPPED_BY_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    reason: Reason
    granted: int
    limit: int
    unlimited: bool
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    resets_at: _timestamp_pb2.Timestamp
    retry_after: _duration_pb2.Duration
    limits: _containers.RepeatedCompositeFieldContainer[LimitStatus]
    replayed: bool
    is_fallback: bool
    catalog_version: int
    explanation: Explanation
    value: str
    values: _containers.RepeatedScalarFieldContainer[str]
    variant: str
    would_deny: bool
    pool_id: str
    decimals: int
    reserved: int
    leased: int
    items: _containers.RepeatedCompositeFieldContainer[ItemDecision]
    stopped_by: int
    def __init__(self, allowed: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., granted: _Optional[int] = ..., limit: _Optional[int] = ..., unlimited: _Optional[bool] = ..., soft_limit: _Optional[bool] = ..., used: _Optional[int] = ..., remaining: _Optional[int] = ..., overage: _Optional[int] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limits: _Optional[_Iterable[_Union[LimitStatus, _Mapping]]] = ..., replayed: _Optional[bool] = ..., is_fallback: _Optional[bool] = ..., catalog_version: _Optional[int] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ..., value: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ..., variant: _Optional[str] = ..., would_deny: _Optional[bool] = ..., pool_id: _Optional[str] = ..., decimals: _Optional[int] = ..., reserved: _Optional[int] = ..., leased: _Optional[int] = ..., items: _Optional[_Iterable[_Union[ItemDecision, _Mapping]]] = ..., stopped_by: _Optional[int] = ...) -> None: ...

class ItemDecision(_message.Message):
    __slots__ = ("feature_id", "resource_id", "decision")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    resource_id: str
    decision: CheckAndConsumeResponse
    def __init__(self, feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., decision: _Optional[_Union[CheckAndConsumeResponse, _Mapping]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("sources", "missing", "denied_by", "frees_at", "left_out")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    DENIED_BY_FIELD_NUMBER: _ClassVar[int]
    FREES_AT_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[EntitlementSource]
    missing: int
    denied_by: str
    frees_at: _timestamp_pb2.Timestamp
    left_out: bool
    def __init__(self, sources: _Optional[_Iterable[_Union[EntitlementSource, _Mapping]]] = ..., missing: _Optional[int] = ..., denied_by: _Optional[str] = ..., frees_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., left_out: _Optional[bool] = ...) -> None: ...

class EntitlementSource(_message.Message):
    __slots__ = ("kind", "source_id", "won", "grants", "revision", "quantity", "subscription_id", "feature_id", "ends_at", "note")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    WON_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    kind: SourceKind
    source_id: str
    won: bool
    grants: str
    revision: int
    quantity: int
    subscription_id: str
    feature_id: str
    ends_at: _timestamp_pb2.Timestamp
    note: str
    def __init__(self, kind: _Optional[_Union[SourceKind, str]] = ..., source_id: _Optional[str] = ..., won: _Optional[bool] = ..., grants: _Optional[str] = ..., revision: _Optional[int] = ..., quantity: _Optional[int] = ..., subscription_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., ends_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class LimitStatus(_message.Message):
    __slots__ = ("limit", "soft_limit", "used", "remaining", "overage", "per", "resets_at", "shadow", "overage_limit", "pool_id", "decimals", "mark", "reserved", "leased")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SOFT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    limit: int
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    per: str
    resets_at: _timestamp_pb2.Timestamp
    shadow: bool
    overage_limit: int
    pool_id: str
    decimals: int
    mark: int
    reserved: int
    leased: int
    def __init__(self, limit: _Optional[int] = ..., soft_limit: _Optional[bool] = ..., used: _Optional[int] = ..., remaining: _Optional[int] = ..., overage: _Optional[int] = ..., per: _Optional[str] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., shadow: _Optional[bool] = ..., overage_limit: _Optional[int] = ..., pool_id: _Optional[str] = ..., decimals: _Optional[int] = ..., mark: _Optional[int] = ..., reserved: _Optional[int] = ..., leased: _Optional[int] = ...) -> None: ...

class BatchCheckAndConsumeRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[CheckAndConsumeRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[CheckAndConsumeRequest, _Mapping]]] = ...) -> None: ...

class BatchCheckAndConsumeResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchResult, _Mapping]]] = ...) -> None: ...

class BatchResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: CheckAndConsumeResponse
    error: Error
    def __init__(self, response: _Optional[_Union[CheckAndConsumeResponse, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "reason", "message", "retry_after")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    retry_after: _duration_pb2.Duration
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Entitlement(_message.Message):
    __slots__ = ("feature_id", "feature_type", "gauge", "unit", "allowed", "reason", "value", "limit", "unlimited", "soft_limit", "used", "remaining", "overage", "resets_at", "limits", "values", "variant", "pool_id", "decimals", "mark", "reserved", "leased", "name", "concurrency", "overage_price")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    GAUGE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    UNLIMITED_FIELD_NUMBER: _ClassVar[int]
    SOFT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    feature_type: FeatureType
    gauge: bool
    unit: str
    allowed: bool
    reason: Reason
    value: str
    limit: int
    unlimited: bool
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    resets_at: _timestamp_pb2.Timestamp
    limits: _containers.RepeatedCompositeFieldContainer[LimitStatus]
    values: _containers.RepeatedScalarFieldContainer[str]
    variant: str
    pool_id: str
    decimals: int
    mark: int
    reserved: int
    leased: int
    name: str
    concurrency: bool
    overage_price: OveragePrice
    def __init__(self, feature_id: _Optional[str] = ..., feature_type: _Optional[_Union[FeatureType, str]] = ..., gauge: _Optional[bool] = ..., unit: _Optional[str] = ..., allowed: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., value: _Optional[str] = ..., limit: _Optional[int] = ..., unlimited: _Optional[bool] = ..., soft_limit: _Optional[bool] = ..., used: _Optional[int] = ..., remaining: _Optional[int] = ..., overage: _Optional[int] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limits: _Optional[_Iterable[_Union[LimitStatus, _Mapping]]] = ..., values: _Optional[_Iterable[str]] = ..., variant: _Optional[str] = ..., pool_id: _Optional[str] = ..., decimals: _Optional[int] = ..., mark: _Optional[int] = ..., reserved: _Optional[int] = ..., leased: _Optional[int] = ..., name: _Optional[str] = ..., concurrency: _Optional[bool] = ..., overage_price: _Optional[_Union[OveragePrice, _Mapping]] = ...) -> None: ...

class OveragePrice(_message.Message):
    __slots__ = ("amount", "currency", "each")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EACH_FIELD_NUMBER: _ClassVar[int]
    amount: str
    currency: str
    each: int
    def __init__(self, amount: _Optional[str] = ..., currency: _Optional[str] = ..., each: _Optional[int] = ...) -> None: ...

class GetEntitlementRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "resource_id")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    resource_id: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ...) -> None: ...

class GetEntitlementResponse(_message.Message):
    __slots__ = ("entitlement", "catalog_version")
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    entitlement: Entitlement
    catalog_version: int
    def __init__(self, entitlement: _Optional[_Union[Entitlement, _Mapping]] = ..., catalog_version: _Optional[int] = ...) -> None: ...

class GetEntitlementsRequest(_message.Message):
    __slots__ = ("customer_id", "resource_id")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    resource_id: str
    def __init__(self, customer_id: _Optional[str] = ..., resource_id: _Optional[str] = ...) -> None: ...

class GetEntitlementsResponse(_message.Message):
    __slots__ = ("customer_id", "plan_id", "denied_reason", "entitlements", "catalog_version", "resource_id", "plan_name")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    DENIED_REASON_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENTS_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_NAME_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    plan_id: str
    denied_reason: Reason
    entitlements: _containers.RepeatedCompositeFieldContainer[Entitlement]
    catalog_version: int
    resource_id: str
    plan_name: str
    def __init__(self, customer_id: _Optional[str] = ..., plan_id: _Optional[str] = ..., denied_reason: _Optional[_Union[Reason, str]] = ..., entitlements: _Optional[_Iterable[_Union[Entitlement, _Mapping]]] = ..., catalog_version: _Optional[int] = ..., resource_id: _Optional[str] = ..., plan_name: _Optional[str] = ...) -> None: ...

class AcquireSlotRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "quantity", "resource_id", "slot_id", "ttl", "also", "idempotency_ttl")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    ALSO_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_TTL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    quantity: int
    resource_id: str
    slot_id: str
    ttl: _duration_pb2.Duration
    also: _containers.RepeatedCompositeFieldContainer[ConsumeItem]
    idempotency_ttl: _duration_pb2.Duration
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., resource_id: _Optional[str] = ..., slot_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., also: _Optional[_Iterable[_Union[ConsumeItem, _Mapping]]] = ..., idempotency_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AcquireSlotResponse(_message.Message):
    __slots__ = ("decision", "expires_at")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    decision: CheckAndConsumeAllResponse
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, decision: _Optional[_Union[CheckAndConsumeAllResponse, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("customer_id", "slot_id", "ttl")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    slot_id: str
    ttl: _duration_pb2.Duration
    def __init__(self, customer_id: _Optional[str] = ..., slot_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("expires_at",)
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReleaseSlotRequest(_message.Message):
    __slots__ = ("customer_id", "slot_id")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    slot_id: str
    def __init__(self, customer_id: _Optional[str] = ..., slot_id: _Optional[str] = ...) -> None: ...

class ReleaseSlotResponse(_message.Message):
    __slots__ = ("released",)
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    released: bool
    def __init__(self, released: _Optional[bool] = ...) -> None: ...

class ListSlotsRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "resource_id")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    resource_id: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ...) -> None: ...

class ListSlotsResponse(_message.Message):
    __slots__ = ("slots",)
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[Slot]
    def __init__(self, slots: _Optional[_Iterable[_Union[Slot, _Mapping]]] = ...) -> None: ...

class Slot(_message.Message):
    __slots__ = ("slot_id", "quantity", "expires_at")
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    slot_id: str
    quantity: int
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, slot_id: _Optional[str] = ..., quantity: _Optional[int] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WatchEntitlementsRequest(_message.Message):
    __slots__ = ("customer_id", "usage", "position")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    usage: bool
    position: str
    def __init__(self, customer_id: _Optional[str] = ..., usage: _Optional[bool] = ..., position: _Optional[str] = ...) -> None: ...

class EntitlementChange(_message.Message):
    __slots__ = ("kind", "at", "customer_id", "epoch", "catalog_version", "feature_id", "resource_id", "position", "actor")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    kind: ChangeKind
    at: _timestamp_pb2.Timestamp
    customer_id: str
    epoch: int
    catalog_version: int
    feature_id: str
    resource_id: str
    position: str
    actor: str
    def __init__(self, kind: _Optional[_Union[ChangeKind, str]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., customer_id: _Optional[str] = ..., epoch: _Optional[int] = ..., catalog_version: _Optional[int] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., position: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...
