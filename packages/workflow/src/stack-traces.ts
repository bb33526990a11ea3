/**
 * Where a run waits: the answer to `__stack_trace` and `__enhanced_stack_trace`.
 *
 * Nothing is recorded while workflows run. When somebody asks, each operation that waits is probed: a promise is
 * chained to the operation's own `resolve` and rejected, which `resolve` never hears of. While the probe's function
 * runs, the engine takes that chain for the cause of the microtask and follows it: from `resolve` to the promise of
 * the operation, from there to the `await`, the `Promise.all` or `race` that waits for it, and on to their callers.
 *
 * W1  Probing settles nothing and changes no order: what was pending is pending as before.
 * W2  The engine follows a promise that exactly one reaction waits for. Promises that the runtime itself watches
 *     (children) therefore remember where they were made.
 * W3  An operation that several wait for is named, without a position, when it is first asked for. From then on the
 *     runs of that type keep where operations are begun (sites.ts), and stacks show that.
 */

import { requireHost } from './async-context';
import type { Run } from './runtime/run';
import type { EnhancedStackTrace, StackTraceFileLocation } from './stack-trace-types';
import { SDK_NAME, SDK_VERSION } from './version';

/** Something that waits. */
export interface Waiting {
  readonly resolve: (value: never) => void;
  /** Its name for people; undefined for what need not be shown if its stack cannot be. */
  readonly what?: string | undefined;
  /** Where the operation was begun, if that is known (W2, W3). */
  readonly site?: Error | undefined;
}

/** Stacks of all that waits, each as text with sources of the user only. */
export function stacksOf(run: Run): Promise<string[]> {
  const waiting: Waiting[] = [
    ...(run.pending?.all() ?? []),
    ...(run.conditions ?? []),
    ...(run.triggers ?? []),
  ];
  const probed: (string | undefined)[] = [];
  waiting.forEach((operation, i) => {
    probe(operation, (stack) => {
      probed[i] = stack;
    });
  });
  // Microtasks run in order: every probe has run before this one.
  return Promise.resolve().then(() => {
    const stacks = waiting.map(({ site, what }, i) => {
      const frames = framesOf(probed[i]) || framesOf(site?.stack);
      return frames === '' && what !== undefined ? named(run, what) : frames;
    });
    const shown = [...new Set(stacks.filter((text) => text !== ''))];
    // The engine cannot say who waits for a promise that the workflow itself has made and will resolve.
    return shown.length > 0 || run.completed
      ? shown
      : ['    at a promise of its own (nobody can tell where it is waited for)'];
  });
}

/** W3 */
function named(run: Run, what: string): string {
  run.worker.tracedTypes ??= new Set();
  run.worker.tracedTypes.add(run.workflowType);
  run.pending?.recordSites();
  return `    at ${what} (waited for in more than one place, or nowhere)`;
}

/** W1: the chain ends in a rejection that is handled. */
function probe({ resolve }: Waiting, report: (stack: string | undefined) => void): void {
  const ended = new Error('probe');
  Promise.resolve()
    .then(() => {
      report(new Error().stack);
      throw ended;
    })
    .then(resolve, ignore);
}

/** The lines of frames, without the probe's own. */
function framesOf(stack: string | undefined): string {
  return (stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && !OWN_FRAME.test(line))
    .join('\n');
}

/** Frames of this package, which show only where no sandbox hides them. */
const OWN_FRAME = /[\\/](?:packages|@perdure)[\\/]workflow[\\/]lib[\\/](?!.*\.test\.js)|node:internal/;

/** The answer to `__stack_trace`. */
export async function stackTrace(run: Run): Promise<string> {
  return (await stacksOf(run)).join('\n\n');
}

/** The answer to `__enhanced_stack_trace`. */
export async function enhancedStackTrace(run: Run): Promise<EnhancedStackTrace> {
  const stacks = (await stacksOf(run)).map((text) => ({ locations: text.split('\n').map(locationOf) }));
  const sources: EnhancedStackTrace['sources'] = {};
  if (run.worker.registration.showStackTraceSources) {
    for (const { locations } of stacks) {
      for (const { file_path: file } of locations) {
        if (file === undefined || Object.hasOwn(sources, file)) continue;
        const content = requireHost().sourceText?.(file);
        if (content !== undefined) sources[file] = [{ line_offset: 0, content }];
      }
    }
  }
  return { sdk: { name: SDK_NAME, version: SDK_VERSION }, sources, stacks };
}

/** "    at async name (file:1:2)" or "    at file:1:2". */
function locationOf(line: string): StackTraceFileLocation {
  const text = line
    .trim()
    .replace(/^at /, '')
    .replace(/^async /, '');
  const match = /^(?:(.*) \()?(.*?)(?::(\d+):(\d+))?\)?$/.exec(text);
  return {
    ...(match?.[2] !== undefined && match[3] !== undefined && { file_path: match[2] }),
    ...(match?.[3] !== undefined && { line: Number(match[3]), column: Number(match[4]) }),
    ...(match?.[1] !== undefined && { function_name: match[1] }),
    internal_code: false,
  };
}

function ignore(): void {}
