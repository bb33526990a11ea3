/** Which part of a stack is the user's. */

/** Frames of this SDK: installed, in a checkout, and the scripts that a realm evaluates. */
const SDK_FRAME =
  /[\\/]node_modules[\\/]@perdure[\\/]|[\\/]packages[\\/](?:activity|common|core|nexus|proto|sandbox|worker|workflow)[\\/](?:lib|src)[\\/](?!.*\.test\.[jt]s)|\bperdure:/;
const FRAME = /^\s*at /;

/**
 * Cuts a stack where the user's code was called by the SDK: frames from there on say nothing about the error.
 * Leading SDK frames (an error thrown by an API function) stay.
 */
export function cutoffStackTrace(stack?: string): string {
  if (typeof stack !== 'string') return '';
  const lines = stack.split('\n');
  let userFrameSeen = false;
  const kept: string[] = [];
  for (const line of lines) {
    if (FRAME.test(line)) {
      if (!SDK_FRAME.test(line)) userFrameSeen = true;
      else if (userFrameSeen) break;
    }
    kept.push(line);
  }
  return kept.join('\n').trimEnd();
}
