/**
 * External storage as a stage on the way of payloads: large ones go to a driver, a reference travels instead.
 *
 * Owns    the reference's form on the wire, grouping by driver, the checks on what drivers give back.
 * Leaves  which payloads of a message are meant to its callers, the bytes to the drivers.
 * X1  The stage is the last towards the server and the first from it: drivers see encoded payloads only.
 * X2  A reference that nobody here can resolve is an error with a name, never a value.
 * X3  When one driver fails, the others are told by the abort signal, and waited for.
 */

import { utf8Encode } from '@perdure/proto/lib/utf8';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import Long from 'long';
import type { LoadedDataConverter } from '../converter/data-converter';
import {
  type ExternalStorage,
  type StorageDriver,
  StorageDriverClaim,
  type StorageDriverStoreContext,
  type StorageDriverTargetInfo,
} from '../converter/extstore';
import type { PayloadCodec } from '../converter/payload-codec';
import { isReferencePayload, REFERENCE_MESSAGE_TYPE } from '../converter/reference-payload';
import type { SerializationContext } from '../converter/serialization-context';
import { encodingTypes, METADATA_ENCODING_KEY, METADATA_MESSAGE_TYPE_KEY } from '../converter/types';
import { str } from '../encoding';
import { ExternalStorageNotConfiguredError, ValueError } from '../errors';
import { payloadBytes } from './payload-limits';

/** What a reference says. */
export interface PayloadReference {
  readonly driverName: string;
  readonly claimData: Record<string, string>;
  /** Bytes of the stored payload, 0 when it is not said. */
  readonly sizeBytes: number;
}

/** The payload that travels in place of a stored one. */
export function encodeReference({ driverName, claimData, sizeBytes }: PayloadReference): Payload {
  return {
    metadata: {
      [METADATA_ENCODING_KEY]: utf8Encode(encodingTypes.METADATA_ENCODING_PROTOBUF_JSON),
      [METADATA_MESSAGE_TYPE_KEY]: utf8Encode(REFERENCE_MESSAGE_TYPE),
    },
    data: utf8Encode(JSON.stringify({ driverName, claimData })),
    externalPayloads: [{ sizeBytes: Long.fromNumber(sizeBytes) }],
  };
}

/**
 * Reads a reference.
 * @throws {ValueError} it is malformed
 */
export function decodeReference(payload: Payload): PayloadReference {
  const malformed = (what: string, cause?: unknown): ValueError =>
    new ValueError(`A reference to external storage is malformed: ${what}`, cause);
  let parsed: unknown;
  try {
    parsed = JSON.parse(str(payload.data ?? new Uint8Array()));
  } catch (cause) {
    throw malformed('it is not JSON', cause);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw malformed('it is no object');
  }
  // Both spellings are allowed where protobuf messages are read from JSON.
  const field = (name: string, snake: string): unknown =>
    Object.hasOwn(parsed, name)
      ? (parsed as any)[name]
      : Object.hasOwn(parsed, snake)
        ? (parsed as any)[snake]
        : undefined;
  const driverName = field('driverName', 'driver_name');
  if (typeof driverName !== 'string' || driverName === '') throw malformed('it names no driver');
  const claimData = field('claimData', 'claim_data') ?? {};
  if (typeof claimData !== 'object' || claimData === null || Array.isArray(claimData)) {
    throw malformed('its claim is no record');
  }
  for (const value of Object.values(claimData)) {
    if (typeof value !== 'string') throw malformed('its claim holds something else than text');
  }
  return {
    driverName,
    claimData: claimData as Record<string, string>,
    sizeBytes: payload.externalPayloads?.[0]?.sizeBytes?.toNumber() ?? 0,
  };
}

/** More about the producer of payloads than their serialization context says. */
const targets = new WeakMap<SerializationContext, StorageDriverTargetInfo>();

/** Says who makes the payloads that are encoded with this very context object. Returns the context. */
export function withStorageTarget<C extends SerializationContext>(
  context: C,
  target: StorageDriverTargetInfo,
): C {
  targets.set(context, target);
  return context;
}

/** Who makes the payloads of a context: the workflow of an activity where there is one. */
export function storageTargetOf(
  context: SerializationContext | undefined,
): StorageDriverTargetInfo | undefined {
  if (context === undefined) return undefined;
  const known = targets.get(context);
  if (known !== undefined) return known;
  const { namespace } = context;
  if (context.workflowId !== undefined) return { kind: 'workflow', namespace, id: context.workflowId };
  return {
    kind: 'activity',
    namespace,
    ...(context.type === 'activity' && context.activityId !== undefined && { id: context.activityId }),
  };
}

interface Group<T> {
  readonly driver: StorageDriver;
  readonly items: { readonly index: number; readonly item: T }[];
}

function addTo<T>(groups: Map<string, Group<T>>, driver: StorageDriver, index: number, item: T): void {
  const group = groups.get(driver.name);
  if (group === undefined) groups.set(driver.name, { driver, items: [{ index, item }] });
  else group.items.push({ index, item });
}

interface AbortControllerLike {
  readonly signal: NonNullable<StorageDriverStoreContext['abortSignal']>;
  abort(reason?: unknown): void;
}

/** Calls every driver with its group at once, and puts what they give into a copy of `payloads` (X3). */
async function callDrivers<T, R>(
  payloads: readonly Payload[],
  groups: Map<string, Group<T>>,
  operation: 'store' | 'retrieve',
  call: (driver: StorageDriver, items: T[], signal: AbortControllerLike['signal']) => Promise<R[]>,
  toPayload: (given: R, item: T, driver: StorageDriver) => Payload,
): Promise<Payload[]> {
  const abort = new (
    globalThis as unknown as { AbortController: new () => AbortControllerLike }
  ).AbortController();
  const result = payloads.slice();
  const calls = [...groups.values()].map(async ({ driver, items }) => {
    try {
      const given = await call(
        driver,
        items.map(({ item }) => item),
        abort.signal,
      );
      if (!Array.isArray(given) || given.length !== items.length) {
        throw new ValueError(
          `External storage: ${operation} of driver '${driver.name}' gave ${Array.isArray(given) ? given.length : 'no list'} for ${items.length} payloads`,
        );
      }
      for (const [at, { index, item }] of items.entries())
        result[index] = toPayload(given[at]!, item, driver);
    } catch (error) {
      abort.abort(error);
      throw error;
    }
  });
  for (const outcome of await Promise.allSettled(calls)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
  return result;
}

/** Large payloads to their drivers; the list that travels. */
export async function storePayloads(
  storage: ExternalStorage,
  payloads: Payload[],
  target?: StorageDriverTargetInfo,
): Promise<Payload[]> {
  const groups = new Map<string, Group<{ payload: Payload; sizeBytes: number }>>();
  const where = target === undefined ? {} : { target };
  for (const [index, payload] of payloads.entries()) {
    const sizeBytes = payloadBytes(payload);
    if (sizeBytes < storage.payloadSizeThreshold) continue;
    const driver = storage.driverSelector(where, payload);
    if (driver === null) continue;
    if (storage.getDriver(driver?.name) !== driver) {
      throw new ValueError(
        `ExternalStorage.driverSelector chose ${driver?.name === undefined ? 'something that is no driver' : `'${driver.name}'`}, which is none of ExternalStorage.drivers`,
      );
    }
    addTo(groups, driver, index, { payload, sizeBytes });
  }
  if (groups.size === 0) return payloads;
  return callDrivers(
    payloads,
    groups,
    'store',
    (driver, items, abortSignal) =>
      driver.store(
        { abortSignal, ...where },
        items.map(({ payload }) => payload),
      ),
    (claim, { sizeBytes }, driver) =>
      encodeReference({ driverName: driver.name, claimData: claim.claimData, sizeBytes }),
  );
}

/** References resolved by their drivers; everything else as it is. */
export async function retrievePayloads(storage: ExternalStorage, payloads: Payload[]): Promise<Payload[]> {
  const groups = new Map<string, Group<StorageDriverClaim>>();
  for (const [index, payload] of payloads.entries()) {
    if (!isReferencePayload(payload)) continue;
    const { driverName, claimData } = decodeReference(payload);
    const driver = storage.getDriver(driverName);
    if (driver === null) {
      throw new ValueError(
        `A payload was stored by the driver '${driverName}', and there is none of that name here (${storage.drivers.map(({ name }) => `'${name}'`).join(', ')})`,
        undefined,
        'give receivers the drivers that senders use, under the same names',
      );
    }
    addTo(groups, driver, index, new StorageDriverClaim(claimData));
  }
  if (groups.size === 0) return payloads;
  return callDrivers(
    payloads,
    groups,
    'retrieve',
    (driver, claims, abortSignal) => driver.retrieve({ abortSignal }, claims),
    (payload, _claim, driver) => {
      if (typeof payload !== 'object' || payload === null) {
        throw new ValueError(
          `External storage: driver '${driver.name}' gave ${String(payload)} in place of a payload`,
        );
      }
      return payload;
    },
  );
}

/** X2 */
const refuseReferences: PayloadCodec = {
  encode: async (payloads) => payloads,
  decode: async (payloads) => {
    if (payloads.some(isReferencePayload)) throw new ExternalStorageNotConfiguredError();
    return payloads;
  },
};

const stageOf = (storage: ExternalStorage): PayloadCodec => ({
  encode: (payloads, context) => storePayloads(storage, payloads, storageTargetOf(context)),
  decode: (payloads) => retrievePayloads(storage, payloads),
});

type WireStages = Pick<LoadedDataConverter, 'payloadCodecs' | 'externalStorage'>;
const wires = new WeakMap<
  WireStages,
  { readonly of: WireStages; readonly codecs: readonly PayloadCodec[] }
>();

/**
 * Everything that payloads pass between converter and server, in the order of encoding: the codecs, then external
 * storage (X1), or what refuses references to it where none is set up.
 */
export function wireCodecs(converter: WireStages): readonly PayloadCodec[] {
  const { payloadCodecs, externalStorage } = converter;
  const known = wires.get(converter);
  if (known?.of.payloadCodecs === payloadCodecs && known.of.externalStorage === externalStorage) {
    return known.codecs;
  }
  const codecs = [
    ...payloadCodecs,
    externalStorage === undefined ? refuseReferences : stageOf(externalStorage),
  ];
  wires.set(converter, { of: { payloadCodecs, ...(externalStorage && { externalStorage }) }, codecs });
  return codecs;
}

/** Whether payloads change between converter and server. */
export function hasWireStages({ payloadCodecs, externalStorage }: WireStages): boolean {
  return payloadCodecs.length > 0 || externalStorage !== undefined;
}
