/**
 * Which workflow code has run, as V8 counts it, for tests.
 *
 * V1  Counts are of this thread's isolate alone; the program's own coverage is not touched.
 * V2  Nothing is counted, and no inspector is loaded, unless the pool was asked for coverage.
 */
import type { Session } from 'node:inspector';
import { type BundleSource, bundleFileName } from './bundle-script';

/** V8's counts of one function: nested ranges of offsets into the bundle's code, outermost first. */
export interface FunctionCoverage {
  readonly functionName: string;
  readonly ranges: readonly {
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }[];
  readonly isBlockCoverage: boolean;
}

/** What has run of a bundle on one lane since it was asked for last. */
export interface BundleCoverage {
  readonly code: string;
  readonly hash: string;
  /** Source map (version 3) of `code`, as JSON. */
  readonly sourceMap?: string;
  readonly functions: readonly FunctionCoverage[];
}

export class CoverageProbe {
  readonly #bundles = new Map<string, BundleSource>();
  readonly #session: Session;

  /** Counts from here on. */
  constructor() {
    const inspector = require('node:inspector') as typeof import('node:inspector'); // V2
    this.#session = new inspector.Session();
    this.#session.connect(); // V1
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Tells of a bundle that is going to run. */
  note(bundle: BundleSource): void {
    this.#bundles.set(bundleFileName(bundle), bundle);
  }

  /** Counts since the last call; a bundle that was evaluated in several realms comes several times. */
  take(): BundleCoverage[] {
    const taken: BundleCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      for (const { url, functions } of error === null ? answer.result : []) {
        const bundle = this.#bundles.get(url);
        if (bundle === undefined) continue;
        const { code, hash, sourceMap } = bundle;
        taken.push({ code, hash, ...(sourceMap !== undefined && { sourceMap }), functions });
      }
    }); // answers before it returns
    return taken;
  }
}
