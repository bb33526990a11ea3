/**
 * The codec stage of a worker's workflows: payloads leave the native side, pass the user's codecs on the main
 * thread and go back. Answers every request, with an error text if a codec fails.
 */
import type { PayloadCodec, WorkflowSerializationContext } from '@perdure/common';
import { PayloadConverterError } from '@perdure/common';
import type { CodecRequest, PayloadGroup } from '@perdure/proto/perdure/core/v1/exchange';
import { CodecResponse } from '@perdure/proto/perdure/core/v1/exchange';
import { Payload } from '@perdure/proto/temporal/api/common/v1/message';

export class CodecStage {
  constructor(
    private readonly codecs: readonly PayloadCodec[],
    private readonly namespace: string,
    private readonly answer: (response: Uint8Array) => void,
  ) {}

  /** Never throws, never rejects. */
  async serve({ id, encode, workflowId = '', groups = [] }: CodecRequest): Promise<void> {
    const context: WorkflowSerializationContext = { type: 'workflow', namespace: this.namespace, workflowId };
    let response: Uint8Array;
    try {
      const done = await Promise.all(groups.map((group) => this.#pass(group, encode ?? false, context)));
      response = CodecResponse.encode({ id, groups: done }).finish();
    } catch (error) {
      response = CodecResponse.encode({ id, error: `payload codec: ${textOf(error)}` }).finish();
    }
    this.answer(response);
  }

  async #pass(
    { payloads = [] }: PayloadGroup,
    encode: boolean,
    context: WorkflowSerializationContext,
  ): Promise<PayloadGroup> {
    let current = payloads.map((bytes) => Payload.decode(bytes));
    for (const codec of encode ? this.codecs : [...this.codecs].reverse()) {
      current = encode ? await codec.encode(current, context) : await codec.decode(current, context);
    }
    return { payloads: current.map(encodePayload) };
  }
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
