/**
 * Sizes of payloads, and the limits that a namespace puts on them.
 *
 * Owns    counting without encoding, the comparison, the texts.
 * Leaves  where limits come from (DescribeNamespace, options) and where warnings go to the caller.
 * Z1  Sizes are those of the encoded messages, as the server counts them.
 * Z2  A limit of 0 means none.
 * Z3  No text holds any of the data: names and numbers only.
 */

import { utf8Length } from '@perdure/proto/lib/utf8';
import type { Payload, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import { PayloadTooLargeError } from '../errors';

/** Limits in bytes; 0 switches one off (Z2). */
export interface PayloadLimits {
  /** Fields of payloads above this are warned of. */
  readonly payloadsWarnBytes: number;
  /** Memos above this are warned of. */
  readonly memoWarnBytes: number;
  /** Fields of payloads above this are refused: the server would. */
  readonly payloadsErrorBytes: number;
  /** Memos above this are refused. */
  readonly memoErrorBytes: number;
}

/** Warnings as the connections' option `payloadLimits` has them by default; nothing is refused. */
export const DEFAULT_PAYLOAD_LIMITS: PayloadLimits = Object.freeze({
  payloadsWarnBytes: 512 * 1024,
  memoWarnBytes: 2 * 1024,
  payloadsErrorBytes: 0,
  memoErrorBytes: 0,
});

/** What a namespace says about itself (`NamespaceInfo.Limits`), 0 where it says nothing. */
export interface NamespaceLimits {
  blobSizeLimitError?: LongLike | undefined;
  memoSizeLimitError?: LongLike | undefined;
}
interface LongLike {
  toNumber(): number;
}

/** The limits of a namespace, with the thresholds for warnings of `base`. */
export function limitsOfNamespace(
  limits: NamespaceLimits | undefined,
  base: PayloadLimits = DEFAULT_PAYLOAD_LIMITS,
): PayloadLimits {
  return {
    ...base,
    payloadsErrorBytes: Math.max(0, limits?.blobSizeLimitError?.toNumber() ?? 0),
    memoErrorBytes: Math.max(0, limits?.memoSizeLimitError?.toNumber() ?? 0),
  };
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** A length-delimited field whose number is below 16. */
const fieldBytes = (length: number): number => 1 + varintBytes(length) + length;

/** Empty keys and empty bytes are left out of a map's entries. */
const optionalFieldBytes = (length: number): number => (length === 0 ? 0 : fieldBytes(length));

/** @param valueBytes  of the entry's field, tag and length included */
function mapBytes<T>(map: Readonly<Record<string, T>> | undefined, valueBytes: (value: T) => number): number {
  let bytes = 0;
  for (const key of Object.keys(map ?? {})) {
    bytes += fieldBytes(optionalFieldBytes(utf8Length(key)) + valueBytes(map![key]!));
  }
  return bytes;
}

/** Bytes of one payload on the wire, metadata included (Z1). Nothing is encoded for it. */
export function payloadBytes({ metadata, data, externalPayloads }: Payload): number {
  let bytes = mapBytes(metadata, (value) => optionalFieldBytes(value.length));
  if (data?.length) bytes += fieldBytes(data.length);
  for (const { sizeBytes } of externalPayloads ?? []) {
    const size = sizeBytes?.toNumber() ?? 0;
    bytes += fieldBytes(size === 0 ? 0 : 1 + varintBytes(size));
  }
  return bytes;
}

/** Bytes of a list of payloads on the wire: what the limit of one field is about. */
export function payloadsBytes(payloads: Payloads | readonly Payload[] | null | undefined): number {
  const list: readonly Payload[] = Array.isArray(payloads)
    ? payloads
    : ((payloads as Payloads | null | undefined)?.payloads ?? []);
  let bytes = 0;
  for (const payload of list) bytes += fieldBytes(payloadBytes(payload));
  return bytes;
}

/** Bytes of a memo (or a header) on the wire. */
export function memoBytes(fields: Readonly<Record<string, Payload>> | undefined): number {
  return mapBytes(fields, (payload) => fieldBytes(payloadBytes(payload)));
}

/** Hears of sizes above a threshold for warnings; `what` names the field. */
export type PayloadSizeWarning = (
  message: string,
  attributes: { readonly what: string; readonly sizeBytes: number; readonly limitBytes: number },
) => void;

/**
 * Holds one size against its limits.
 * @param what  names the field for the message, for example `the result of activity 'charge'`
 * @throws {PayloadTooLargeError} the server would refuse it
 */
export function checkSize(
  what: string,
  sizeBytes: number,
  warnBytes: number,
  errorBytes: number,
  warn?: PayloadSizeWarning,
): void {
  if (errorBytes > 0 && sizeBytes > errorBytes) throw new PayloadTooLargeError(what, sizeBytes, errorBytes);
  if (warnBytes > 0 && sizeBytes > warnBytes) {
    warn?.(
      `[TMPRL1103] ${what}: ${sizeBytes} bytes, more than the ${warnBytes} bytes from which on a warning is given` +
        (errorBytes > 0 ? `; the server refuses more than ${errorBytes}` : ''),
      { what, sizeBytes, limitBytes: warnBytes },
    );
  }
}

/** {@link checkSize} for one field of payloads. */
export function checkPayloads(
  what: string,
  payloads: Payloads | readonly Payload[] | null | undefined,
  limits: PayloadLimits,
  warn?: PayloadSizeWarning,
): void {
  checkSize(what, payloadsBytes(payloads), limits.payloadsWarnBytes, limits.payloadsErrorBytes, warn);
}

/** {@link checkSize} for a memo. */
export function checkMemo(
  what: string,
  fields: Readonly<Record<string, Payload>> | undefined,
  limits: PayloadLimits,
  warn?: PayloadSizeWarning,
): void {
  checkSize(what, memoBytes(fields), limits.memoWarnBytes, limits.memoErrorBytes, warn);
}
