/** What the witness interceptor has told: the commands of each instance of each run. */
import type { InjectedSinks } from '@perdure/worker';
import type { WitnessSinks } from '../workflows/fuzz-witness';

export class Witness {
  /** Instances by run id, in the order in which they began. */
  readonly instances = new Map<string, string[][]>();

  readonly sinks: InjectedSinks<WitnessSinks> = {
    witness: {
      issued: {
        callDuringReplay: true,
        fn: ({ runId }, begins, commands) => {
          const ofRun = this.instances.get(runId) ?? [];
          this.instances.set(runId, ofRun);
          if (begins) ofRun.push([]);
          ofRun.at(-1)?.push(...commands);
        },
      },
    },
  };

  of(runId: string): readonly string[][] {
    return this.instances.get(runId) ?? [];
  }
}
