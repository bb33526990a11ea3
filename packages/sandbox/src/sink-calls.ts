/**
 * Copies the arguments of sink calls out of a realm.
 *
 * X1  Arguments are user data: a getter may throw, a value may not be cloneable. Each argument that cannot be
 *     copied is replaced by a text that says so; the call is still made.
 */
import type { SinkCallRecord } from '@perdure/workflow/runtime';

/** @param warn gets a sentence for each call that lost an argument */
export function cloneSinkCalls(
  calls: readonly SinkCallRecord[],
  warn: (message: string) => void,
): SinkCallRecord[] {
  const cloned: SinkCallRecord[] = [];
  for (let i = 0; i < calls.length; i++) {
    const { worker, runId, sink, fn, args, info } = calls[i]!;
    let copies: unknown[];
    try {
      copies = structuredClone(args) as unknown[];
    } catch {
      copies = [];
      const lost: string[] = [];
      for (let at = 0; at < args.length; at++) {
        try {
          copies.push(structuredClone(args[at]));
        } catch {
          copies.push(`[argument ${at} could not be cloned]`); // X1
          lost.push(String(at));
        }
      }
      warn(`sink ${sink}.${fn}: argument ${lost.join(', ')} could not be cloned and was replaced by a text`);
    }
    cloned.push({ worker, runId, sink, fn, args: copies, info });
  }
  return cloned;
}
