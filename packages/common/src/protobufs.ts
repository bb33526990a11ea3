/** Payload converters for protobufjs messages; apart from the index, for those who use protobufjs. */
export {
  DefaultPayloadConverterWithProtobufs,
  type DefaultPayloadConverterWithProtobufsOptions,
  ProtobufBinaryPayloadConverter,
  ProtobufJsonPayloadConverter,
  patchProtobufRoot,
} from './converter/protobuf-payload-converters';
