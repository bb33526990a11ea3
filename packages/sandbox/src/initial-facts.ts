/** Reads from an encoded WorkflowActivation what the lane itself wants to know, without decoding all of it. */
import { BinaryReader } from '@perdure/proto/lib/wire';

export interface InitialFacts {
  readonly workflowType: string;
}

/** Field numbers of coresdk.workflow_activation, from its .proto. */
const Field = { activationJobs: 5, jobInitialize: 1, initializeWorkflowType: 1 } as const;

/** @returns undefined if the activation does not start a run, or cannot be read (the runtime will say why) */
export function initialFacts(activation: Uint8Array): InitialFacts | undefined {
  try {
    const reader = new BinaryReader(activation);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag >>> 3 !== Field.activationJobs) {
        reader.skip(tag);
        continue;
      }
      const jobEnd = reader.uint32() + reader.pos;
      while (reader.pos < jobEnd) {
        const jobTag = reader.uint32();
        if (jobTag >>> 3 !== Field.jobInitialize) {
          reader.skip(jobTag);
          continue;
        }
        const end = reader.uint32() + reader.pos;
        while (reader.pos < end) {
          const fieldTag = reader.uint32();
          if (fieldTag >>> 3 === Field.initializeWorkflowType) return { workflowType: reader.string() };
          reader.skip(fieldTag);
        }
        return { workflowType: '' };
      }
    }
  } catch {
    return undefined;
  }
  return undefined;
}
