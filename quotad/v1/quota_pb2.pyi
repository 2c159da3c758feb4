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

class FeatureType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_TYPE_UNSPECIFIED: _ClassVar[FeatureType]
    FEATURE_TYPE_BOOLEAN: _ClassVar[FeatureType]
    FEATURE_TYPE_CONFIG: _ClassVar[FeatureType]
    FEATURE_TYPE_METERED: _ClassVar[FeatureType]
MODE_UNSPECIFIED: Mode
MODE_NORMAL: Mode
MODE_CHECK_ONLY: Mode
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
FEATURE_TYPE_UNSPECIFIED: FeatureType
FEATURE_TYPE_BOOLEAN: FeatureType
FEATURE_TYPE_CONFIG: FeatureType
FEATURE_TYPE_METERED: FeatureType

class CheckAndConsumeRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "quantity", "idempotency_key", "mode", "idempotency_ttl")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_TTL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    quantity: int
    idempotency_key: str
    mode: Mode
    idempotency_ttl: _duration_pb2.Duration
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., idempotency_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CheckAndConsumeResponse(_message.Message):
    __slots__ = ("allowed", "reason", "granted", "limit", "unlimited", "soft_limit", "used", "remaining", "overage", "resets_at", "retry_after", "limits", "replayed", "is_fallback", "catalog_version", "value")
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
    VALUE_FIELD_NUMBER: _ClassVar[int]
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
    value: str
    def __init__(self, allowed: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., granted: _Optional[int] = ..., limit: _Optional[int] = ..., unlimited: _Optional[bool] = ..., soft_limit: _Optional[bool] = ..., used: _Optional[int] = ..., remaining: _Optional[int] = ..., overage: _Optional[int] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limits: _Optional[_Iterable[_Union[LimitStatus, _Mapping]]] = ..., replayed: _Optional[bool] = ..., is_fallback: _Optional[bool] = ..., catalog_version: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...

class LimitStatus(_message.Message):
    __slots__ = ("limit", "soft_limit", "used", "remaining", "overage", "per", "resets_at")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SOFT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    per: str
    resets_at: _timestamp_pb2.Timestamp
    def __init__(self, limit: _Optional[int] = ..., soft_limit: _Optional[bool] = ..., used: _Optional[int] = ..., remaining: _Optional[int] = ..., overage: _Optional[int] = ..., per: _Optional[str] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("code", "reason", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Entitlement(_message.Message):
    __slots__ = ("feature_id", "feature_type", "gauge", "unit", "allowed", "reason", "value", "limit", "unlimited", "soft_limit", "used", "remaining", "overage", "resets_at", "limits")
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
    def __init__(self, feature_id: _Optional[str] = ..., feature_type: _Optional[_Union[FeatureType, str]] = ..., gauge: _Optional[bool] = ..., unit: _Optional[str] = ..., allowed: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., value: _Optional[str] = ..., limit: _Optional[int] = ..., unlimited: _Optional[bool] = ..., soft_limit: _Optional[bool] = ..., used: _Optional[int] = ..., remaining: _Optional[int] = ..., overage: _Optional[int] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limits: _Optional[_Iterable[_Union[LimitStatus, _Mapping]]] = ...) -> None: ...

class GetEntitlementRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ...) -> None: ...

class GetEntitlementResponse(_message.Message):
    __slots__ = ("entitlement", "catalog_version")
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    entitlement: Entitlement
    catalog_version: int
    def __init__(self, entitlement: _Optional[_Union[Entitlement, _Mapping]] = ..., catalog_version: _Optional[int] = ...) -> None: ...

class GetEntitlementsRequest(_message.Message):
    __slots__ = ("customer_id",)
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    def __init__(self, customer_id: _Optional[str] = ...) -> None: ...

class GetEntitlementsResponse(_message.Message):
    __slots__ = ("customer_id", "plan_id", "denied_reason", "entitlements", "catalog_version")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    DENIED_REASON_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENTS_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    plan_id: str
    denied_reason: Reason
    entitlements: _containers.RepeatedCompositeFieldContainer[Entitlement]
    catalog_version: int
    def __init__(self, customer_id: _Optional[str] = ..., plan_id: _Optional[str] = ..., denied_reason: _Optional[_Union[Reason, str]] = ..., entitlements: _Optional[_Iterable[_Union[Entitlement, _Mapping]]] = ..., catalog_version: _Optional[int] = ...) -> None: ...
