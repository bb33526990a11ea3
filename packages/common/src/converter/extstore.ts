/** External storage: large payloads live elsewhere, a reference travels. Types and configuration; no I/O here. */
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { ValueError } from '../errors';

/** AbortSignal, where the platform's types have it: this package compiles without any platform's types. */
type AbortSignalLike = typeof globalThis extends { AbortSignal: { prototype: infer T } }
  ? T
  : { readonly aborted: boolean; readonly reason: any };

export interface StorageDriverWorkflowInfo {
  kind: 'workflow';
  namespace: string;
  /** Workflow id. */
  id?: string;
  runId?: string;
  /** Workflow type. */
  type?: string;
}

export interface StorageDriverActivityInfo {
  kind: 'activity';
  namespace: string;
  /** Activity id. */
  id?: string;
  /** Of standalone activities only. */
  runId?: string;
  /** Activity type. */
  type?: string;
}

/** Who made the payload. */
export type StorageDriverTargetInfo = StorageDriverWorkflowInfo | StorageDriverActivityInfo;

export interface StorageDriverStoreContext {
  abortSignal?: AbortSignalLike;
  target?: StorageDriverTargetInfo;
}

export interface StorageDriverSelectContext {
  abortSignal?: AbortSignalLike;
  target?: StorageDriverTargetInfo;
}

export interface StorageDriverRetrieveContext {
  abortSignal?: AbortSignalLike;
}

/** What a driver needs to find a payload again. */
export class StorageDriverClaim {
  constructor(readonly claimData: Record<string, string>) {}
}

/** A backend. */
export interface StorageDriver {
  /** Key on the wire: the receiving side finds its driver by it. */
  readonly name: string;
  /** Names the implementation across languages. */
  readonly type: string;
  /** One claim per payload, in order. */
  store(context: StorageDriverStoreContext, payloads: Payload[]): Promise<StorageDriverClaim[]>;
  /** One payload per claim, in order. */
  retrieve(context: StorageDriverRetrieveContext, claims: StorageDriverClaim[]): Promise<Payload[]>;
}

/** Picks the driver of one payload; null leaves the payload inline. */
export type StorageDriverSelector = (
  context: StorageDriverSelectContext,
  payload: Payload,
) => StorageDriver | null;

const DEFAULT_THRESHOLD_BYTES = 256 * 1024;

/** Configuration of external storage. */
export class ExternalStorage {
  readonly drivers: StorageDriver[];
  readonly driverSelector: StorageDriverSelector;
  /** Payloads of more bytes than this are offered to a driver. */
  readonly payloadSizeThreshold: number;

  /**
   * @param options.drivers  at least one, names unique
   * @param options.driverSelector  required with more than one driver
   * @param options.payloadSizeThreshold  bytes, default 262144
   * @throws {ValueError} for any other configuration
   */
  constructor({
    drivers,
    driverSelector,
    payloadSizeThreshold = DEFAULT_THRESHOLD_BYTES,
  }: {
    drivers: StorageDriver[];
    driverSelector?: StorageDriverSelector;
    payloadSizeThreshold?: number;
  }) {
    if (!Array.isArray(drivers) || drivers.length === 0) {
      throw new ValueError('ExternalStorage.drivers: at least one driver is required');
    }
    const names = new Set<string>();
    for (const { name } of drivers) {
      if (typeof name !== 'string' || name === '') {
        throw new ValueError('ExternalStorage.drivers: every driver needs a name');
      }
      if (names.has(name)) throw new ValueError(`ExternalStorage.drivers: two drivers are named '${name}'`);
      names.add(name);
    }
    if (driverSelector === undefined && drivers.length > 1) {
      throw new ValueError('ExternalStorage.driverSelector: required with more than one driver');
    }
    if (!Number.isFinite(payloadSizeThreshold) || payloadSizeThreshold < 0) {
      throw new ValueError(
        `ExternalStorage.payloadSizeThreshold: expected a number of bytes, got ${String(payloadSizeThreshold)}`,
      );
    }
    this.drivers = [...drivers];
    this.driverSelector = driverSelector ?? (() => drivers[0]!);
    this.payloadSizeThreshold = payloadSizeThreshold;
  }

  /** The driver of this name, null when there is none. */
  getDriver(name: string): StorageDriver | null {
    return this.drivers.find((driver) => driver.name === name) ?? null;
  }
}
