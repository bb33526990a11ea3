/**
 * Errors of the bundler: one class, one code per kind of problem, positions where there are any.
 *
 * E1  Everything wrong that one build can find is in one error (`problems`), not one per build.
 */
// Only this file of it: the whole package would cost a build of a small workflow a fifth of its time.
import { PerdureError } from '@perdure/common/lib/errors';

/** Code of a bundler error; each has a page docs/errors/CODE.md. */
export type BundleErrorCode =
  | 'BUNDLE_OPTIONS_INVALID'
  | 'BUNDLE_WEBPACK_HOOK_UNSUPPORTED'
  | 'BUNDLE_ENTRY_NOT_FOUND'
  | 'BUNDLE_IMPORT_UNRESOLVED'
  | 'BUNDLE_MODULE_DISALLOWED'
  | 'BUNDLE_DYNAMIC_IMPORT'
  | 'BUNDLE_IMPORT_META'
  | 'BUNDLE_TOP_LEVEL_AWAIT'
  | 'BUNDLE_SYNTAX_INVALID'
  | 'BUNDLE_EXPORT_MISSING'
  | 'BUNDLE_FAILED';

/** One thing that keeps a bundle from being built. */
export interface BundleProblem {
  readonly message: string;
  /** Absolute path of the source file. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** The lines around the position, with a marker. */
  readonly codeFrame?: string;
  /** Files from the workflow file to the one at fault, the latter last. */
  readonly importChain?: readonly string[];
}

/** Thrown by the bundler; `code` says which kind, `problems` lists every case found. */
export class BundleError extends PerdureError {
  constructor(
    readonly code: BundleErrorCode,
    summary: string,
    readonly problems: readonly BundleProblem[] = [],
    options?: { hint?: string; cause?: unknown },
  ) {
    const hint = options?.hint === undefined ? '' : `\nHint: ${options.hint}`;
    super(`${summary}${problems.map(formatProblem).join('')}${hint}`, options);
    this.name = 'BundleError';
  }
}

function formatProblem(problem: BundleProblem): string {
  const place =
    problem.file === undefined
      ? ''
      : problem.line === undefined
        ? `${problem.file}: `
        : `${problem.file}:${problem.line}:${problem.column ?? 1}: `;
  const chain =
    problem.importChain === undefined || problem.importChain.length === 0
      ? ''
      : `\n    imported through ${problem.importChain.join('\n      → ')}`;
  const frame = problem.codeFrame === undefined ? '' : `\n${problem.codeFrame.replace(/^/gm, '    ')}`;
  return `\n  ${place}${problem.message}${chain}${frame}`;
}

/**
 * Shows up to two lines before and one after a position.
 * @param line    from 1
 * @param column  from 1
 */
export function makeCodeFrame(source: string, line: number, column: number): string | undefined {
  const lines = source.split('\n');
  if (line < 1 || line > lines.length) return undefined;
  const first = Math.max(1, line - 2);
  const last = Math.min(lines.length, line + 1);
  const width = String(last).length;
  const shown: string[] = [];
  for (let number = first; number <= last; number++) {
    const text = (lines[number - 1] ?? '').replace(/\r$/, '').replace(/\t/g, ' ');
    shown.push(`${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${text.slice(0, 160)}`);
    if (number === line && column <= 160)
      shown.push(`  ${' '.repeat(width)} | ${' '.repeat(Math.max(0, column - 1))}^`);
  }
  return shown.join('\n');
}

/** Line and column (both from 1) of an offset. */
export function positionOfOffset(source: string, offset: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = source.indexOf('\n'); at !== -1 && at < offset; at = source.indexOf('\n', at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: offset - lineStart + 1 };
}
