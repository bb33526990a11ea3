/**
 * The codec stage of a worker's workflows: payloads leave the native side, pass the user's codecs and external storage
 * on the main thread and go back. Answers every request, with an error text if a stage fails.
 *
 * C1  Payloads of a field pass in one call, fields side by side, so many at a time.
 * C2  The context names the owner as the other side knows it: the activity, the child, the workflow that is signalled.
 */
import type {
  LoadedDataConverter,
  PayloadCodec,
  SerializationContext,
  StorageDriverTargetInfo,
} from '@perdure/common';
import { PayloadConverterError } from '@perdure/common';
import {
  hasWireStages,
  retrievePayloads,
  wireCodecs,
  withStorageTarget,
} from '@perdure/common/lib/internal-non-workflow';
import type { CodecRequest, PayloadGroup, PayloadOwner } from '@perdure/proto/perdure/core/v1/exchange';
import { CodecResponse } from '@perdure/proto/perdure/core/v1/exchange';
import { Payload } from '@perdure/proto/temporal/api/common/v1/message';

/** Fields that are with the codecs at the same time, for one message (C1). */
const CONCURRENCY = 20;

/** The stages of a worker; none where payloads do not change on their way and the native side keeps them. */
export function workerStages(converters: LoadedDataConverter): readonly PayloadCodec[] {
  return hasWireStages(converters) ? wireCodecs(converters) : [];
}

/** The stages of a replay: nothing is stored, since no completion goes anywhere. */
export function replayStages({
  payloadCodecs,
  externalStorage,
}: LoadedDataConverter): readonly PayloadCodec[] {
  if (externalStorage === undefined) return payloadCodecs;
  const storage: PayloadCodec = {
    encode: async (payloads) => payloads,
    decode: (payloads) => retrievePayloads(externalStorage, payloads),
  };
  return [...payloadCodecs, storage];
}

export class CodecStage {
  constructor(
    private readonly codecs: readonly PayloadCodec[],
    private readonly namespace: string,
    private readonly answer: (response: Uint8Array) => void,
  ) {}

  /** Never throws, never rejects. */
  async serve(request: CodecRequest): Promise<void> {
    const { id, encode = false, groups = [] } = request;
    let response: Uint8Array;
    try {
      const done: PayloadGroup[] = new Array(groups.length);
      let next = 0;
      const passSome = async (): Promise<void> => {
        while (next < groups.length) {
          const index = next++;
          const { payloads = [], owner } = groups[index]!;
          done[index] = await this.#pass(payloads, encode, this.#context(request, owner));
        }
      };
      await Promise.all(Array.from({ length: Math.min(CONCURRENCY, groups.length) }, passSome));
      response = CodecResponse.encode({ id, groups: done }).finish();
    } catch (error) {
      response = CodecResponse.encode({ id, error: `payload codec: ${textOf(error)}` }).finish();
    }
    this.answer(response);
  }

  /** C2 */
  #context(
    { workflowId = '', runId, workflowType }: CodecRequest,
    owner: PayloadOwner | undefined,
  ): SerializationContext {
    const namespace = owner?.namespace || this.namespace;
    const run: StorageDriverTargetInfo = target(this.namespace, workflowId, runId, workflowType);
    if (owner === undefined) return withStorageTarget({ type: 'workflow', namespace, workflowId }, run);
    if (owner.activity) {
      const { activityId, local: isLocal = false } = owner;
      return withStorageTarget(
        { type: 'activity', namespace, workflowId, isLocal, ...(activityId && { activityId }) },
        run,
      );
    }
    const other = owner.workflowId ?? '';
    return withStorageTarget(
      { type: 'workflow', namespace, workflowId: other },
      target(namespace, other, owner.runId, owner.workflowType),
    );
  }

  async #pass(
    payloads: readonly Uint8Array[],
    encode: boolean,
    context: SerializationContext,
  ): Promise<PayloadGroup> {
    let current = payloads.map((bytes) => Payload.decode(bytes));
    for (const codec of encode ? this.codecs : [...this.codecs].reverse()) {
      current = encode ? await codec.encode(current, context) : await codec.decode(current, context);
    }
    return { payloads: current.map(encodePayload) };
  }
}

function target(
  namespace: string,
  id: string,
  runId: string | undefined,
  type: string | undefined,
): StorageDriverTargetInfo {
  return { kind: 'workflow', namespace, id, ...(runId && { runId }), ...(type && { type }) };
}

function encodePayload(payload: unknown): Uint8Array {
  if (typeof payload !== 'object' || payload === null) {
    throw new PayloadConverterError(`a codec gave ${String(payload)} in place of a payload`);
  }
  return Payload.encode(payload).finish();
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return 'an error that cannot be shown';
  }
}
