import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyTo(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLY_TO_UNSPECIFIED: _ClassVar[ApplyTo]
    APPLY_TO_ALL: _ClassVar[ApplyTo]
    APPLY_TO_NEW: _ClassVar[ApplyTo]

class CustomerStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CUSTOMER_STATUS_UNSPECIFIED: _ClassVar[CustomerStatus]
    CUSTOMER_STATUS_ACTIVE: _ClassVar[CustomerStatus]
    CUSTOMER_STATUS_ARCHIVED: _ClassVar[CustomerStatus]

class SubscriptionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBSCRIPTION_STATUS_UNSPECIFIED: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_SCHEDULED: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_ACTIVE: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_IN_TRIAL: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_ENDED: _ClassVar[SubscriptionStatus]

class When(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WHEN_UNSPECIFIED: _ClassVar[When]
    WHEN_NOW: _ClassVar[When]
    WHEN_PERIOD_END: _ClassVar[When]

class TokenRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_ROLE_UNSPECIFIED: _ClassVar[TokenRole]
    TOKEN_ROLE_CLIENT: _ClassVar[TokenRole]
    TOKEN_ROLE_CONSUME: _ClassVar[TokenRole]
    TOKEN_ROLE_READ: _ClassVar[TokenRole]
    TOKEN_ROLE_MANAGE: _ClassVar[TokenRole]
    TOKEN_ROLE_PUBLISH: _ClassVar[TokenRole]
    TOKEN_ROLE_ADMIN: _ClassVar[TokenRole]
APPLY_TO_UNSPECIFIED: ApplyTo
APPLY_TO_ALL: ApplyTo
APPLY_TO_NEW: ApplyTo
CUSTOMER_STATUS_UNSPECIFIED: CustomerStatus
CUSTOMER_STATUS_ACTIVE: CustomerStatus
CUSTOMER_STATUS_ARCHIVED: CustomerStatus
SUBSCRIPTION_STATUS_UNSPECIFIED: SubscriptionStatus
SUBSCRIPTION_STATUS_SCHEDULED: SubscriptionStatus
SUBSCRIPTION_STATUS_ACTIVE: SubscriptionStatus
SUBSCRIPTION_STATUS_IN_TRIAL: SubscriptionStatus
SUBSCRIPTION_STATUS_ENDED: SubscriptionStatus
WHEN_UNSPECIFIED: When
WHEN_NOW: When
WHEN_PERIOD_END: When
TOKEN_ROLE_UNSPECIFIED: TokenRole
TOKEN_ROLE_CLIENT: TokenRole
TOKEN_ROLE_CONSUME: TokenRole
TOKEN_ROLE_READ: TokenRole
TOKEN_ROLE_MANAGE: TokenRole
TOKEN_ROLE_PUBLISH: TokenRole
TOKEN_ROLE_ADMIN: TokenRole

class CatalogFile(_message.Message):
    __slots__ = ("name", "content", "continued")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: str
    continued: bool
    def __init__(self, name: _Optional[str] = ..., content: _Optional[str] = ..., continued: _Optional[bool] = ...) -> None: ...

class PublishCatalogRequest(_message.Message):
    __slots__ = ("files", "expected_version", "published_by", "apply_to", "comment")
    FILES_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_BY_FIELD_NUMBER: _ClassVar[int]
    APPLY_TO_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[CatalogFile]
    expected_version: int
    published_by: str
    apply_to: ApplyTo
    comment: str
    def __init__(self, files: _Optional[_Iterable[_Union[CatalogFile, _Mapping]]] = ..., expected_version: _Optional[int] = ..., published_by: _Optional[str] = ..., apply_to: _Optional[_Union[ApplyTo, str]] = ..., comment: _Optional[str] = ...) -> None: ...

class PublishCatalogResponse(_message.Message):
    __slots__ = ("outcome", "version", "changes", "changes_count")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[PublishCatalogResponse.Outcome]
        OUTCOME_PUBLISHED: _ClassVar[PublishCatalogResponse.Outcome]
        OUTCOME_UNCHANGED: _ClassVar[PublishCatalogResponse.Outcome]
    OUTCOME_UNSPECIFIED: PublishCatalogResponse.Outcome
    OUTCOME_PUBLISHED: PublishCatalogResponse.Outcome
    OUTCOME_UNCHANGED: PublishCatalogResponse.Outcome
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CHANGES_COUNT_FIELD_NUMBER: _ClassVar[int]
    outcome: PublishCatalogResponse.Outcome
    version: CatalogVersion
    changes: _containers.RepeatedCompositeFieldContainer[CatalogChange]
    changes_count: int
    def __init__(self, outcome: _Optional[_Union[PublishCatalogResponse.Outcome, str]] = ..., version: _Optional[_Union[CatalogVersion, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[CatalogChange, _Mapping]]] = ..., changes_count: _Optional[int] = ...) -> None: ...

class CatalogVersion(_message.Message):
    __slots__ = ("version", "digest", "published_at", "published_by", "in_force", "actor", "comment")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_BY_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    digest: str
    published_at: _timestamp_pb2.Timestamp
    published_by: str
    in_force: bool
    actor: str
    comment: str
    def __init__(self, version: _Optional[int] = ..., digest: _Optional[str] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., published_by: _Optional[str] = ..., in_force: _Optional[bool] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class CatalogChange(_message.Message):
    __slots__ = ("path", "before", "after")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    path: str
    before: str
    after: str
    def __init__(self, path: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class GetCatalogRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class GetCatalogResponse(_message.Message):
    __slots__ = ("version", "document")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    version: CatalogVersion
    document: str
    def __init__(self, version: _Optional[_Union[CatalogVersion, _Mapping]] = ..., document: _Optional[str] = ...) -> None: ...

class ListCatalogVersionsRequest(_message.Message):
    __slots__ = ("page_size",)
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    def __init__(self, page_size: _Optional[int] = ...) -> None: ...

class ListCatalogVersionsResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[CatalogVersion]
    def __init__(self, versions: _Optional[_Iterable[_Union[CatalogVersion, _Mapping]]] = ...) -> None: ...

class RollbackCatalogRequest(_message.Message):
    __slots__ = ("version", "published_by", "comment")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_BY_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    published_by: str
    comment: str
    def __init__(self, version: _Optional[int] = ..., published_by: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class DiffCatalogRequest(_message.Message):
    __slots__ = ("files", "version", "apply_to")
    FILES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    APPLY_TO_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[CatalogFile]
    version: int
    apply_to: ApplyTo
    def __init__(self, files: _Optional[_Iterable[_Union[CatalogFile, _Mapping]]] = ..., version: _Optional[int] = ..., apply_to: _Optional[_Union[ApplyTo, str]] = ...) -> None: ...

class DiffCatalogResponse(_message.Message):
    __slots__ = ("version", "changes", "changes_count")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CHANGES_COUNT_FIELD_NUMBER: _ClassVar[int]
    version: CatalogVersion
    changes: _containers.RepeatedCompositeFieldContainer[CatalogChange]
    changes_count: int
    def __init__(self, version: _Optional[_Union[CatalogVersion, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[CatalogChange, _Mapping]]] = ..., changes_count: _Optional[int] = ...) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("plan_id", "start", "subscription_id", "resource_id", "revision", "addons", "end", "anchor", "status", "unit_quantity", "external_ids")
    class AddonsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ExternalIdsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ADDONS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    UNIT_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_IDS_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    start: _timestamp_pb2.Timestamp
    subscription_id: str
    resource_id: str
    revision: int
    addons: _containers.ScalarMap[str, int]
    end: _timestamp_pb2.Timestamp
    anchor: _timestamp_pb2.Timestamp
    status: SubscriptionStatus
    unit_quantity: int
    external_ids: _containers.ScalarMap[str, str]
    def __init__(self, plan_id: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscription_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., revision: _Optional[int] = ..., addons: _Optional[_Mapping[str, int]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., anchor: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status: _Optional[_Union[SubscriptionStatus, str]] = ..., unit_quantity: _Optional[int] = ..., external_ids: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Override(_message.Message):
    __slots__ = ("feature_id", "resource_id", "entitlement", "start")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    resource_id: str
    entitlement: _struct_pb2.Value
    start: _timestamp_pb2.Timestamp
    def __init__(self, feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., entitlement: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Promotion(_message.Message):
    __slots__ = ("feature_id", "resource_id", "entitlement", "end", "start")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    resource_id: str
    entitlement: _struct_pb2.Value
    end: _timestamp_pb2.Timestamp
    start: _timestamp_pb2.Timestamp
    def __init__(self, feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., entitlement: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Customer(_message.Message):
    __slots__ = ("customer_id", "status", "subscriptions", "epoch", "created_at", "updated_at", "overrides", "promotions", "name", "email", "timezone", "metadata", "external_ids", "experiments", "updated_by")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExternalIdsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    PROMOTIONS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    status: CustomerStatus
    subscriptions: _containers.RepeatedCompositeFieldContainer[Subscription]
    epoch: int
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    overrides: _containers.RepeatedCompositeFieldContainer[Override]
    promotions: _containers.RepeatedCompositeFieldContainer[Promotion]
    name: str
    email: str
    timezone: str
    metadata: _containers.ScalarMap[str, str]
    external_ids: _containers.ScalarMap[str, str]
    experiments: _containers.RepeatedScalarFieldContainer[str]
    updated_by: str
    def __init__(self, customer_id: _Optional[str] = ..., status: _Optional[_Union[CustomerStatus, str]] = ..., subscriptions: _Optional[_Iterable[_Union[Subscription, _Mapping]]] = ..., epoch: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overrides: _Optional[_Iterable[_Union[Override, _Mapping]]] = ..., promotions: _Optional[_Iterable[_Union[Promotion, _Mapping]]] = ..., name: _Optional[str] = ..., email: _Optional[str] = ..., timezone: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., external_ids: _Optional[_Mapping[str, str]] = ..., experiments: _Optional[_Iterable[str]] = ..., updated_by: _Optional[str] = ...) -> None: ...

class ProvisionCustomerRequest(_message.Message):
    __slots__ = ("customer_id", "plan_id", "start", "subscription_id", "resource_id", "addons", "end", "anchor", "trial", "if_epoch", "name", "unit_quantity", "email", "timezone", "metadata", "external_ids", "subscription_external_ids", "comment")
    class AddonsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExternalIdsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class SubscriptionExternalIdsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDONS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_IDS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_EXTERNAL_IDS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    plan_id: str
    start: _timestamp_pb2.Timestamp
    subscription_id: str
    resource_id: str
    addons: _containers.ScalarMap[str, int]
    end: _timestamp_pb2.Timestamp
    anchor: _timestamp_pb2.Timestamp
    trial: Trial
    if_epoch: int
    name: str
    unit_quantity: int
    email: str
    timezone: str
    metadata: _containers.ScalarMap[str, str]
    external_ids: _containers.ScalarMap[str, str]
    subscription_external_ids: _containers.ScalarMap[str, str]
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., plan_id: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscription_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., addons: _Optional[_Mapping[str, int]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., anchor: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trial: _Optional[_Union[Trial, _Mapping]] = ..., if_epoch: _Optional[int] = ..., name: _Optional[str] = ..., unit_quantity: _Optional[int] = ..., email: _Optional[str] = ..., timezone: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., external_ids: _Optional[_Mapping[str, str]] = ..., subscription_external_ids: _Optional[_Mapping[str, str]] = ..., comment: _Optional[str] = ...) -> None: ...

class UpdateCustomerRequest(_message.Message):
    __slots__ = ("customer_id", "if_epoch", "name", "email", "timezone", "metadata", "external_ids", "comment")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExternalIdsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_IDS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    if_epoch: int
    name: str
    email: str
    timezone: str
    metadata: _containers.ScalarMap[str, str]
    external_ids: _containers.ScalarMap[str, str]
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., if_epoch: _Optional[int] = ..., name: _Optional[str] = ..., email: _Optional[str] = ..., timezone: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., external_ids: _Optional[_Mapping[str, str]] = ..., comment: _Optional[str] = ...) -> None: ...

class Trial(_message.Message):
    __slots__ = ("end", "then", "plan_id")
    class Then(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        THEN_UNSPECIFIED: _ClassVar[Trial.Then]
        THEN_CONVERT: _ClassVar[Trial.Then]
        THEN_END: _ClassVar[Trial.Then]
    THEN_UNSPECIFIED: Trial.Then
    THEN_CONVERT: Trial.Then
    THEN_END: Trial.Then
    END_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    end: _timestamp_pb2.Timestamp
    then: Trial.Then
    plan_id: str
    def __init__(self, end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., then: _Optional[_Union[Trial.Then, str]] = ..., plan_id: _Optional[str] = ...) -> None: ...

class ChangeSubscriptionRequest(_message.Message):
    __slots__ = ("customer_id", "subscription_id", "resource_id", "plan_id", "addons", "latest_revision", "when", "if_epoch", "unit_quantity", "comment")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    ADDONS_FIELD_NUMBER: _ClassVar[int]
    LATEST_REVISION_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    UNIT_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    subscription_id: str
    resource_id: str
    plan_id: str
    addons: AddOns
    latest_revision: bool
    when: When
    if_epoch: int
    unit_quantity: int
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., plan_id: _Optional[str] = ..., addons: _Optional[_Union[AddOns, _Mapping]] = ..., latest_revision: _Optional[bool] = ..., when: _Optional[_Union[When, str]] = ..., if_epoch: _Optional[int] = ..., unit_quantity: _Optional[int] = ..., comment: _Optional[str] = ...) -> None: ...

class AddOns(_message.Message):
    __slots__ = ("quantities",)
    class QuantitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    quantities: _containers.ScalarMap[str, int]
    def __init__(self, quantities: _Optional[_Mapping[str, int]] = ...) -> None: ...

class CancelSubscriptionRequest(_message.Message):
    __slots__ = ("customer_id", "subscription_id", "resource_id", "when", "if_epoch", "comment")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    subscription_id: str
    resource_id: str
    when: When
    if_epoch: int
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., when: _Optional[_Union[When, str]] = ..., if_epoch: _Optional[int] = ..., comment: _Optional[str] = ...) -> None: ...

class SetOverrideRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "resource_id", "entitlement", "if_epoch", "start", "comment")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    resource_id: str
    entitlement: _struct_pb2.Value
    if_epoch: int
    start: _timestamp_pb2.Timestamp
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., entitlement: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., if_epoch: _Optional[int] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., comment: _Optional[str] = ...) -> None: ...

class RemoveOverrideRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "resource_id", "if_epoch", "comment")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    resource_id: str
    if_epoch: int
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., if_epoch: _Optional[int] = ..., comment: _Optional[str] = ...) -> None: ...

class GrantPromotionRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "resource_id", "entitlement", "end", "if_epoch", "start", "comment")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    resource_id: str
    entitlement: _struct_pb2.Value
    end: _timestamp_pb2.Timestamp
    if_epoch: int
    start: _timestamp_pb2.Timestamp
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., entitlement: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., if_epoch: _Optional[int] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., comment: _Optional[str] = ...) -> None: ...

class RevokePromotionRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "resource_id", "if_epoch", "comment")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    resource_id: str
    if_epoch: int
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., if_epoch: _Optional[int] = ..., comment: _Optional[str] = ...) -> None: ...

class ImportCustomersRequest(_message.Message):
    __slots__ = ("rows", "dry_run")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedScalarFieldContainer[bytes]
    dry_run: bool
    def __init__(self, rows: _Optional[_Iterable[bytes]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class ImportCustomersResponse(_message.Message):
    __slots__ = ("problems", "written", "unchanged")
    class Problem(_message.Message):
        __slots__ = ("row", "message")
        ROW_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        row: int
        message: str
        def __init__(self, row: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[ImportCustomersResponse.Problem]
    written: int
    unchanged: int
    def __init__(self, problems: _Optional[_Iterable[_Union[ImportCustomersResponse.Problem, _Mapping]]] = ..., written: _Optional[int] = ..., unchanged: _Optional[int] = ...) -> None: ...

class ExportCustomersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ExportCustomersResponse(_message.Message):
    __slots__ = ("rows", "next_page_token")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedScalarFieldContainer[bytes]
    next_page_token: str
    def __init__(self, rows: _Optional[_Iterable[bytes]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetInsightsRequest(_message.Message):
    __slots__ = ("feature_id", "size")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    size: int
    def __init__(self, feature_id: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class GetInsightsResponse(_message.Message):
    __slots__ = ("features",)
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedCompositeFieldContainer[FeatureInsights]
    def __init__(self, features: _Optional[_Iterable[_Union[FeatureInsights, _Mapping]]] = ...) -> None: ...

class FeatureInsights(_message.Message):
    __slots__ = ("feature_id", "above", "near", "groups")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    NEAR_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    above: _containers.RepeatedCompositeFieldContainer[CustomerUsage]
    near: _containers.RepeatedCompositeFieldContainer[CustomerUsage]
    groups: _containers.RepeatedCompositeFieldContainer[ExperimentGroup]
    def __init__(self, feature_id: _Optional[str] = ..., above: _Optional[_Iterable[_Union[CustomerUsage, _Mapping]]] = ..., near: _Optional[_Iterable[_Union[CustomerUsage, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[ExperimentGroup, _Mapping]]] = ...) -> None: ...

class ExperimentGroup(_message.Message):
    __slots__ = ("experiment", "variant", "above", "near")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    NEAR_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    variant: str
    above: int
    near: int
    def __init__(self, experiment: _Optional[str] = ..., variant: _Optional[str] = ..., above: _Optional[int] = ..., near: _Optional[int] = ...) -> None: ...

class CustomerUsage(_message.Message):
    __slots__ = ("customer_id", "resource_id", "plan_id", "limit", "used", "per", "percent", "resets_at", "pool_id", "decimals", "denied", "demand_percent")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    DEMAND_PERCENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    resource_id: str
    plan_id: str
    limit: int
    used: int
    per: str
    percent: int
    resets_at: _timestamp_pb2.Timestamp
    pool_id: str
    decimals: int
    denied: int
    demand_percent: int
    def __init__(self, customer_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., plan_id: _Optional[str] = ..., limit: _Optional[int] = ..., used: _Optional[int] = ..., per: _Optional[str] = ..., percent: _Optional[int] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pool_id: _Optional[str] = ..., decimals: _Optional[int] = ..., denied: _Optional[int] = ..., demand_percent: _Optional[int] = ...) -> None: ...

class GetUsageRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "month", "page_size", "page_token")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    month: str
    page_size: int
    page_token: str
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., month: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("usage", "next_page_token")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    usage: _containers.RepeatedCompositeFieldContainer[Usage]
    next_page_token: str
    def __init__(self, usage: _Optional[_Iterable[_Union[Usage, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("customer_id", "resource_id", "feature_id", "per", "start", "end", "used", "decimals", "unit", "denied")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    resource_id: str
    feature_id: str
    per: str
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    used: int
    decimals: int
    unit: str
    denied: int
    def __init__(self, customer_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., per: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., used: _Optional[int] = ..., decimals: _Optional[int] = ..., unit: _Optional[str] = ..., denied: _Optional[int] = ...) -> None: ...

class GetCustomerRequest(_message.Message):
    __slots__ = ("customer_id",)
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    def __init__(self, customer_id: _Optional[str] = ...) -> None: ...

class ListCustomersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "id_prefix", "name", "plan_id", "status", "email", "external_id", "in_trial")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    IN_TRIAL_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    id_prefix: str
    name: str
    plan_id: str
    status: CustomerStatus
    email: str
    external_id: str
    in_trial: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., id_prefix: _Optional[str] = ..., name: _Optional[str] = ..., plan_id: _Optional[str] = ..., status: _Optional[_Union[CustomerStatus, str]] = ..., email: _Optional[str] = ..., external_id: _Optional[str] = ..., in_trial: _Optional[bool] = ...) -> None: ...

class ListCustomersResponse(_message.Message):
    __slots__ = ("customers", "next_page_token")
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customers: _containers.RepeatedCompositeFieldContainer[Customer]
    next_page_token: str
    def __init__(self, customers: _Optional[_Iterable[_Union[Customer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSeenCustomersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "id_prefix")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    id_prefix: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., id_prefix: _Optional[str] = ...) -> None: ...

class ListSeenCustomersResponse(_message.Message):
    __slots__ = ("customers", "next_page_token")
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customers: _containers.RepeatedCompositeFieldContainer[SeenCustomer]
    next_page_token: str
    def __init__(self, customers: _Optional[_Iterable[_Union[SeenCustomer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SeenCustomer(_message.Message):
    __slots__ = ("customer_id", "seen_at")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    seen_at: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EraseCustomerRequest(_message.Message):
    __slots__ = ("customer_id", "if_epoch", "erased_by")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ERASED_BY_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    if_epoch: int
    erased_by: str
    def __init__(self, customer_id: _Optional[str] = ..., if_epoch: _Optional[int] = ..., erased_by: _Optional[str] = ...) -> None: ...

class EraseCustomerResponse(_message.Message):
    __slots__ = ("erasure", "nonce", "had_record", "counters", "idempotency_keys")
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    HAD_RECORD_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEYS_FIELD_NUMBER: _ClassVar[int]
    erasure: Erasure
    nonce: str
    had_record: bool
    counters: int
    idempotency_keys: int
    def __init__(self, erasure: _Optional[_Union[Erasure, _Mapping]] = ..., nonce: _Optional[str] = ..., had_record: _Optional[bool] = ..., counters: _Optional[int] = ..., idempotency_keys: _Optional[int] = ...) -> None: ...

class Erasure(_message.Message):
    __slots__ = ("erased_at", "erased_by", "proof")
    ERASED_AT_FIELD_NUMBER: _ClassVar[int]
    ERASED_BY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    erased_at: _timestamp_pb2.Timestamp
    erased_by: str
    proof: str
    def __init__(self, erased_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., erased_by: _Optional[str] = ..., proof: _Optional[str] = ...) -> None: ...

class ListErasuresRequest(_message.Message):
    __slots__ = ("page_size",)
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    def __init__(self, page_size: _Optional[int] = ...) -> None: ...

class ListErasuresResponse(_message.Message):
    __slots__ = ("erasures",)
    ERASURES_FIELD_NUMBER: _ClassVar[int]
    erasures: _containers.RepeatedCompositeFieldContainer[Erasure]
    def __init__(self, erasures: _Optional[_Iterable[_Union[Erasure, _Mapping]]] = ...) -> None: ...

class ArchiveCustomerRequest(_message.Message):
    __slots__ = ("customer_id", "if_epoch", "comment")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    if_epoch: int
    comment: str
    def __init__(self, customer_id: _Optional[str] = ..., if_epoch: _Optional[int] = ..., comment: _Optional[str] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("server_version", "ready", "not_ready_reason", "catalog", "store", "store_up", "started_at", "pid", "front", "decisions", "cached_customers", "store_warnings")
    class DecisionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    NOT_READY_REASON_FIELD_NUMBER: _ClassVar[int]
    CATALOG_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    STORE_UP_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    FRONT_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    CACHED_CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    STORE_WARNINGS_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    ready: bool
    not_ready_reason: str
    catalog: CatalogVersion
    store: str
    store_up: bool
    started_at: _timestamp_pb2.Timestamp
    pid: int
    front: str
    decisions: _containers.ScalarMap[str, int]
    cached_customers: int
    store_warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, server_version: _Optional[str] = ..., ready: _Optional[bool] = ..., not_ready_reason: _Optional[str] = ..., catalog: _Optional[_Union[CatalogVersion, _Mapping]] = ..., store: _Optional[str] = ..., store_up: _Optional[bool] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pid: _Optional[int] = ..., front: _Optional[str] = ..., decisions: _Optional[_Mapping[str, int]] = ..., cached_customers: _Optional[int] = ..., store_warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ListCorrectionsRequest(_message.Message):
    __slots__ = ("customer_id", "page_size")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    page_size: int
    def __init__(self, customer_id: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListCorrectionsResponse(_message.Message):
    __slots__ = ("corrections",)
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    corrections: _containers.RepeatedCompositeFieldContainer[Correction]
    def __init__(self, corrections: _Optional[_Iterable[_Union[Correction, _Mapping]]] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("corrected_at", "verb", "feature_id", "resource_id", "change", "reason", "actor", "key", "made_by")
    CORRECTED_AT_FIELD_NUMBER: _ClassVar[int]
    VERB_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_FIELD_NUMBER: _ClassVar[int]
    corrected_at: _timestamp_pb2.Timestamp
    verb: str
    feature_id: str
    resource_id: str
    change: int
    reason: str
    actor: str
    key: str
    made_by: str
    def __init__(self, corrected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., verb: _Optional[str] = ..., feature_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., change: _Optional[int] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., key: _Optional[str] = ..., made_by: _Optional[str] = ...) -> None: ...

class CreateTokenRequest(_message.Message):
    __slots__ = ("name", "role", "customers", "features", "expires_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: TokenRole
    customers: _containers.RepeatedScalarFieldContainer[str]
    features: _containers.RepeatedScalarFieldContainer[str]
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[TokenRole, str]] = ..., customers: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[str]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("token_id", "name", "role", "customers", "features", "created_at", "expires_at", "revoked_at", "used_at", "live", "created_by", "ended_by")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    USED_AT_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    ENDED_BY_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    name: str
    role: TokenRole
    customers: _containers.RepeatedScalarFieldContainer[str]
    features: _containers.RepeatedScalarFieldContainer[str]
    created_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    revoked_at: _timestamp_pb2.Timestamp
    used_at: _timestamp_pb2.Timestamp
    live: bool
    created_by: str
    ended_by: str
    def __init__(self, token_id: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[_Union[TokenRole, str]] = ..., customers: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., used_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., live: _Optional[bool] = ..., created_by: _Optional[str] = ..., ended_by: _Optional[str] = ...) -> None: ...

class NewToken(_message.Message):
    __slots__ = ("token", "secret", "signing_key")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    SIGNING_KEY_FIELD_NUMBER: _ClassVar[int]
    token: Token
    secret: str
    signing_key: str
    def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., secret: _Optional[str] = ..., signing_key: _Optional[str] = ...) -> None: ...

class ListTokensRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListTokensResponse(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class RotateTokenRequest(_message.Message):
    __slots__ = ("token_id", "keep_ms")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    KEEP_MS_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    keep_ms: int
    def __init__(self, token_id: _Optional[str] = ..., keep_ms: _Optional[int] = ...) -> None: ...

class RevokeTokenRequest(_message.Message):
    __slots__ = ("token_id",)
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    def __init__(self, token_id: _Optional[str] = ...) -> None: ...

class ListCustomerChangesRequest(_message.Message):
    __slots__ = ("customer_id", "page_size")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    page_size: int
    def __init__(self, customer_id: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListCustomerChangesResponse(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[CustomerChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[CustomerChange, _Mapping]]] = ...) -> None: ...

class CustomerChange(_message.Message):
    __slots__ = ("changed_at", "actor", "call", "changes", "epoch", "comment", "undoable")
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    UNDOABLE_FIELD_NUMBER: _ClassVar[int]
    changed_at: _timestamp_pb2.Timestamp
    actor: str
    call: str
    changes: _containers.RepeatedScalarFieldContainer[str]
    epoch: int
    comment: str
    undoable: bool
    def __init__(self, changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., call: _Optional[str] = ..., changes: _Optional[_Iterable[str]] = ..., epoch: _Optional[int] = ..., comment: _Optional[str] = ..., undoable: _Optional[bool] = ...) -> None: ...

class RollbackCustomerRequest(_message.Message):
    __slots__ = ("customer_id", "epoch", "if_epoch", "comment", "dry_run")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    IF_EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    epoch: int
    if_epoch: int
    comment: str
    dry_run: bool
    def __init__(self, customer_id: _Optional[str] = ..., epoch: _Optional[int] = ..., if_epoch: _Optional[int] = ..., comment: _Optional[str] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class RollbackCustomerResponse(_message.Message):
    __slots__ = ("customer", "changes", "undone")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    UNDONE_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    changes: _containers.RepeatedScalarFieldContainer[str]
    undone: _containers.RepeatedCompositeFieldContainer[CustomerChange]
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ..., changes: _Optional[_Iterable[str]] = ..., undone: _Optional[_Iterable[_Union[CustomerChange, _Mapping]]] = ...) -> None: ...

class ListLedgerRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "reason", "since", "until", "page_size", "position", "newest_first", "from_now", "denied_only", "verb", "with_changes")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    FROM_NOW_FIELD_NUMBER: _ClassVar[int]
    DENIED_ONLY_FIELD_NUMBER: _ClassVar[int]
    VERB_FIELD_NUMBER: _ClassVar[int]
    WITH_CHANGES_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    reason: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    page_size: int
    position: str
    newest_first: bool
    from_now: bool
    denied_only: bool
    verb: str
    with_changes: bool
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., reason: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., position: _Optional[str] = ..., newest_first: _Optional[bool] = ..., from_now: _Optional[bool] = ..., denied_only: _Optional[bool] = ..., verb: _Optional[str] = ..., with_changes: _Optional[bool] = ...) -> None: ...

class ListLedgerResponse(_message.Message):
    __slots__ = ("entries", "gaps", "position", "more")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LedgerEntry]
    gaps: _containers.RepeatedCompositeFieldContainer[LedgerGap]
    position: str
    more: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[LedgerEntry, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[LedgerGap, _Mapping]]] = ..., position: _Optional[str] = ..., more: _Optional[bool] = ...) -> None: ...

class LedgerEntry(_message.Message):
    __slots__ = ("id", "at", "verb", "customer_id", "resource_id", "feature_id", "quantity", "allowed", "reason", "idempotency_key", "limit", "used", "remaining", "resets_at", "pool_id", "occurred_at", "catalog_version", "late", "actor", "edge", "call", "changes", "comment", "epoch")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    VERB_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    CATALOG_VERSION_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EDGE_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    id: str
    at: _timestamp_pb2.Timestamp
    verb: str
    customer_id: str
    resource_id: str
    feature_id: str
    quantity: int
    allowed: bool
    reason: str
    idempotency_key: str
    limit: int
    used: int
    remaining: int
    resets_at: _timestamp_pb2.Timestamp
    pool_id: str
    occurred_at: _timestamp_pb2.Timestamp
    catalog_version: int
    late: bool
    actor: str
    edge: str
    call: str
    changes: _containers.RepeatedScalarFieldContainer[str]
    comment: str
    epoch: int
    def __init__(self, id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., verb: _Optional[str] = ..., customer_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., quantity: _Optional[int] = ..., allowed: _Optional[bool] = ..., reason: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., limit: _Optional[int] = ..., used: _Optional[int] = ..., remaining: _Optional[int] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pool_id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., catalog_version: _Optional[int] = ..., late: _Optional[bool] = ..., actor: _Optional[str] = ..., edge: _Optional[str] = ..., call: _Optional[str] = ..., changes: _Optional[_Iterable[str]] = ..., comment: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class LedgerGap(_message.Message):
    __slots__ = ("shard", "since", "until", "why")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    shard: int
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    why: str
    def __init__(self, shard: _Optional[int] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., why: _Optional[str] = ...) -> None: ...

class AddWebhookRequest(_message.Message):
    __slots__ = ("url", "events", "description")
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    url: str
    events: _containers.RepeatedScalarFieldContainer[str]
    description: str
    def __init__(self, url: _Optional[str] = ..., events: _Optional[_Iterable[str]] = ..., description: _Optional[str] = ...) -> None: ...

class Webhook(_message.Message):
    __slots__ = ("webhook_id", "url", "events", "description", "created_at", "created_by", "former_secret_until")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    FORMER_SECRET_UNTIL_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    url: str
    events: _containers.RepeatedScalarFieldContainer[str]
    description: str
    created_at: _timestamp_pb2.Timestamp
    created_by: str
    former_secret_until: _timestamp_pb2.Timestamp
    def __init__(self, webhook_id: _Optional[str] = ..., url: _Optional[str] = ..., events: _Optional[_Iterable[str]] = ..., description: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ..., former_secret_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class NewWebhook(_message.Message):
    __slots__ = ("webhook", "secret")
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    webhook: Webhook
    secret: str
    def __init__(self, webhook: _Optional[_Union[Webhook, _Mapping]] = ..., secret: _Optional[str] = ...) -> None: ...

class ListWebhooksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListWebhooksResponse(_message.Message):
    __slots__ = ("webhooks",)
    WEBHOOKS_FIELD_NUMBER: _ClassVar[int]
    webhooks: _containers.RepeatedCompositeFieldContainer[Webhook]
    def __init__(self, webhooks: _Optional[_Iterable[_Union[Webhook, _Mapping]]] = ...) -> None: ...

class RotateWebhookRequest(_message.Message):
    __slots__ = ("webhook_id", "keep_ms")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    KEEP_MS_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    keep_ms: int
    def __init__(self, webhook_id: _Optional[str] = ..., keep_ms: _Optional[int] = ...) -> None: ...

class RemoveWebhookRequest(_message.Message):
    __slots__ = ("webhook_id",)
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    def __init__(self, webhook_id: _Optional[str] = ...) -> None: ...

class TestWebhookRequest(_message.Message):
    __slots__ = ("webhook_id",)
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    def __init__(self, webhook_id: _Optional[str] = ...) -> None: ...

class WebhookAttempt(_message.Message):
    __slots__ = ("at", "event_id", "event_type", "status", "problem", "took_ms", "customer_id")
    AT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    event_id: str
    event_type: str
    status: int
    problem: str
    took_ms: int
    customer_id: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_id: _Optional[str] = ..., event_type: _Optional[str] = ..., status: _Optional[int] = ..., problem: _Optional[str] = ..., took_ms: _Optional[int] = ..., customer_id: _Optional[str] = ...) -> None: ...

class ListWebhookAttemptsRequest(_message.Message):
    __slots__ = ("webhook_id", "page_size")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    page_size: int
    def __init__(self, webhook_id: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListWebhookAttemptsResponse(_message.Message):
    __slots__ = ("attempts",)
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedCompositeFieldContainer[WebhookAttempt]
    def __init__(self, attempts: _Optional[_Iterable[_Union[WebhookAttempt, _Mapping]]] = ...) -> None: ...

class ReplayWebhookRequest(_message.Message):
    __slots__ = ("webhook_id", "since")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, webhook_id: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AuditUsageRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "page_token", "since")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    page_token: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., page_token: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AuditUsageResponse(_message.Message):
    __slots__ = ("counters", "agreed", "next_page_token")
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    AGREED_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    counters: _containers.RepeatedCompositeFieldContainer[AuditedCounter]
    agreed: int
    next_page_token: str
    def __init__(self, counters: _Optional[_Iterable[_Union[AuditedCounter, _Mapping]]] = ..., agreed: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AuditedCounter(_message.Message):
    __slots__ = ("customer_id", "resource_id", "feature_id", "per", "start", "end", "counted", "by_ledger", "difference", "since", "doubt", "decimals", "unit", "resets", "rebuilt")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    BY_LEDGER_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    DOUBT_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    RESETS_FIELD_NUMBER: _ClassVar[int]
    REBUILT_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    resource_id: str
    feature_id: str
    per: str
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    counted: int
    by_ledger: int
    difference: int
    since: _timestamp_pb2.Timestamp
    doubt: str
    decimals: int
    unit: str
    resets: int
    rebuilt: bool
    def __init__(self, customer_id: _Optional[str] = ..., resource_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., per: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counted: _Optional[int] = ..., by_ledger: _Optional[int] = ..., difference: _Optional[int] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., doubt: _Optional[str] = ..., decimals: _Optional[int] = ..., unit: _Optional[str] = ..., resets: _Optional[int] = ..., rebuilt: _Optional[bool] = ...) -> None: ...

class RebuildUsageRequest(_message.Message):
    __slots__ = ("customer_id", "feature_id", "page_token", "apply", "reason", "actor", "since")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    APPLY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    feature_id: str
    page_token: str
    apply: bool
    reason: str
    actor: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., page_token: _Optional[str] = ..., apply: _Optional[bool] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
