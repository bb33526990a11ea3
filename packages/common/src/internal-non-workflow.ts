/** What the Node.js side of several packages shares and workflows have no use for. Refused in workflow bundles. */
export {
  decodeArrayFromPayloads,
  decodeFromPayloadsAtIndex,
  decodeMap,
  decodeMapFromPayloads,
  decodeOptional,
  decodeOptionalFailure,
  decodeOptionalFailureToOptionalError,
  decodeOptionalSingle,
  decodePayloads,
  encodeErrorToFailure,
  encodeMap,
  encodeMapToPayloads,
  encodeOptional,
  encodeOptionalFailure,
  encodeOptionalSingle,
  encodePayloads,
  encodeToPayload,
  encodeToPayloads,
  encodeToPayloadsWithContext,
} from './internal-non-workflow/codec-helpers';
export { isLoadedDataConverter, loadDataConverter } from './internal-non-workflow/data-converter-helpers';
export {
  joinProtoHostPort,
  normalizeGrpcEndpointAddress,
  type ProtoHostPort,
  splitProtoHostPort,
} from './internal-non-workflow/host';
export {
  type HttpConnectProxyConfig,
  normalizeTlsConfig,
  type ProxyConfig,
  type TLSConfig,
  type TLSConfigOption,
} from './internal-non-workflow/tls-config';
