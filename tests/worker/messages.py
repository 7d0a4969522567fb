"""The messages that host and worker exchange, as protobuf classes: the part of the protocol that we use.

Microsoft publishes them as FunctionRpc.proto (azure-functions-language-worker-protobuf). The worker library
takes them as its ``protos``. Field numbers are ours: the messages never leave the process.
"""

from types import SimpleNamespace

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto
from google.protobuf.message import Message

ENUMS = {
    "StatusResult": {"Status": ["Failure", "Success", "Cancelled"]},
    "BindingInfo": {"Direction": ["in", "out", "inout"], "DataType": ["undefined", "string", "binary", "stream"]},
}

FIELDS = {
    "RpcException": {"source": "string", "stack_trace": "string", "message": "string"},
    "StatusResult": {"status": "Status", "result": "string", "exception": "RpcException"},
    "WorkerMetadata": {
        "runtime_name": "string",
        "runtime_version": "string",
        "worker_version": "string",
        "worker_bitness": "string",
        "custom_properties": "map string",
    },
    "WorkerInitRequest": {
        "host_version": "string",
        "capabilities": "map string",
        "worker_directory": "string",
        "function_app_directory": "string",
    },
    "WorkerInitResponse": {
        "capabilities": "map string",
        "worker_metadata": "WorkerMetadata",
        "result": "StatusResult",
    },
    "FunctionEnvironmentReloadRequest": {
        "environment_variables": "map string",
        "function_app_directory": "string",
    },
    "FunctionEnvironmentReloadResponse": {
        "worker_metadata": "WorkerMetadata",
        "result": "StatusResult",
        "capabilities": "map string",
    },
    "FunctionsMetadataRequest": {"function_app_directory": "string"},
    "BindingInfo": {"type": "string", "direction": "Direction", "data_type": "DataType"},
    "RpcRetryOptions": {"max_retry_count": "int32"},
    "RpcFunctionMetadata": {
        "name": "string",
        "function_id": "string",
        "managed_dependency_enabled": "bool",
        "directory": "string",
        "script_file": "string",
        "entry_point": "string",
        "is_proxy": "bool",
        "language": "string",
        "bindings": "map BindingInfo",
        "raw_bindings": "repeated string",
        "retry_options": "RpcRetryOptions",
        "properties": "map string",
    },
    "FunctionMetadataResponse": {
        "function_metadata_results": "repeated RpcFunctionMetadata",
        "result": "StatusResult",
        "use_default_metadata_indexing": "bool",
    },
    "FunctionLoadRequest": {"function_id": "string", "metadata": "RpcFunctionMetadata"},
    "FunctionLoadResponse": {"function_id": "string", "result": "StatusResult"},
    "RpcHttp": {
        "method": "string",
        "url": "string",
        "headers": "map string",
        "body": "TypedData",
        "params": "map string",
        "query": "map string",
    },
    "ModelBindingData": {"version": "string", "source": "string", "content_type": "string", "content": "bytes"},
    "TypedData": {
        "string": "oneof string",
        "json": "oneof string",
        "bytes": "oneof bytes",
        "http": "oneof RpcHttp",
        "model_binding_data": "oneof ModelBindingData",
    },
    "ParameterBinding": {"name": "string", "data": "oneof TypedData"},
    "RpcTraceContext": {"trace_parent": "string", "trace_state": "string", "attributes": "map string"},
    "RetryContext": {"retry_count": "int32", "max_retry_count": "int32", "exception": "RpcException"},
    "InvocationRequest": {
        "invocation_id": "string",
        "function_id": "string",
        "input_data": "repeated ParameterBinding",
        "trigger_metadata": "map TypedData",
        "trace_context": "RpcTraceContext",
        "retry_context": "RetryContext",
    },
    "InvocationResponse": {
        "invocation_id": "string",
        "output_data": "repeated ParameterBinding",
        "return_value": "TypedData",
        "result": "StatusResult",
    },
    "StreamingMessage": {
        "request_id": "string",
        "worker_init_request": "oneof WorkerInitRequest",
        "function_environment_reload_request": "oneof FunctionEnvironmentReloadRequest",
        "functions_metadata_request": "oneof FunctionsMetadataRequest",
        "function_load_request": "oneof FunctionLoadRequest",
        "invocation_request": "oneof InvocationRequest",
    },
}

ONEOFS = {"TypedData": "data", "ParameterBinding": "rpc_data", "StreamingMessage": "content"}

PACKAGE = "functions"
SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int32": FieldDescriptorProto.TYPE_INT32,
}


def _classes() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(name="functions.proto", package=PACKAGE, syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for enum, values in ENUMS.get(name, {}).items():
            numbered = [{"name": value, "number": number} for number, value in enumerate(values)]
            message.enum_type.add(name=enum, value=numbered)
        if name in ONEOFS:
            message.oneof_decl.add(name=ONEOFS[name])
        for number, (field, kind) in enumerate(fields.items(), 1):
            _add_field(message, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in FIELDS}


def _add_field(message: DescriptorProto, name: str, number: int, kind: str) -> None:
    """``kind`` is a type, after ``repeated``, ``map`` (from strings) or ``oneof``."""
    modifier, _, type_name = kind.rpartition(" ")
    field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if modifier == "map":
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, type_name)
        type_name = f"{message.name}.{entry.name}"
    if modifier in ("map", "repeated"):
        field.label = FieldDescriptorProto.LABEL_REPEATED
    if modifier == "oneof":
        field.oneof_index = 0
    _set_type(field, message.name, type_name)


def _set_type(field: FieldDescriptorProto, message: str, type_name: str) -> None:
    if type_name in SCALARS:
        field.type = SCALARS[type_name]
    elif type_name in ENUMS.get(message, {}):
        field.type = FieldDescriptorProto.TYPE_ENUM
        field.type_name = f".{PACKAGE}.{message}.{type_name}"
    else:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{type_name}"


protos = SimpleNamespace(**_classes())
