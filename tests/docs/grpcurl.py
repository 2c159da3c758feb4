"""What of grpcurl the documentation uses: calls by name and JSON, through server reflection."""

import shlex
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests.running import CALL_S


def grpcurl(line: str) -> Any:
    """Run a command line `grpcurl -plaintext [-d JSON] ADDRESS list|SERVICE/METHOD`.

    Gives the answer as JSON data, or the sorted names of the services.
    """
    word, plain, *rest = shlex.split(line)
    assert ("grpcurl", "-plaintext") == (word, plain), line
    body = "{}"
    if rest[0] == "-d":
        body, rest = rest[1], rest[2:]
    address, what = rest
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        if what == "list":
            return sorted(database.get_services())
        service, _, method = what.partition("/")
        pool = DescriptorPool(database)
        found = pool.FindServiceByName(service).FindMethodByName(method)
        request = json_format.Parse(body, GetMessageClass(found.input_type)())
        call = channel.unary_unary(
            f"/{what}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(found.output_type).FromString,
        )
        # grpcurl names fields as the proto does: reflection gives it no JSON names.
        answer = call(request, timeout=CALL_S)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)
