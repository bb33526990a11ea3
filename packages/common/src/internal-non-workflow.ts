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
  decodeReference,
  encodeReference,
  hasWireStages,
  type PayloadReference,
  retrievePayloads,
  storageTargetOf,
  storePayloads,
  wireCodecs,
  withStorageTarget,
} from './internal-non-workflow/external-storage';
export {
  joinProtoHostPort,
  normalizeGrpcEndpointAddress,
  type ProtoHostPort,
  splitProtoHostPort,
} from './internal-non-workflow/host';
export {
  checkMemo,
  checkPayloads,
  checkSize,
  DEFAULT_PAYLOAD_LIMITS,
  limitsOfNamespace,
  memoBytes,
  type NamespaceLimits,
  type PayloadLimits,
  type PayloadSizeWarning,
  payloadBytes,
  payloadsBytes,
} from './internal-non-workflow/payload-limits';
export {
  type HttpConnectProxyConfig,
  normalizeTlsConfig,
  type ProxyConfig,
  type TLSConfig,
  type TLSConfigOption,
} from './internal-non-workflow/tls-config';
