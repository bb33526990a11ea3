/**
 * Compiles bundles, and refuses what no bundle may contain.
 *
 * C1  No script that could run `import()` is ever evaluated: its promise belongs to the host and leads out of
 *     every realm. Code cannot be made from strings later on, so looking once is enough.
 */
import { Script } from 'node:vm';
import { BundleRefusedError } from './errors';

/** A bundle as it comes from the bundler. */
export interface BundleSource {
  /** The script; its value is a WorkflowBundle. */
  readonly code: string;
  /** Equal for equal code: a lane loads it once. */
  readonly hash: string;
  /** Source map (version 3) of `code`, as JSON. */
  readonly sourceMap?: string;
  /** Name in stacks and debuggers, without a path of the machine. Default: from the hash. */
  readonly filename?: string;
}

const importWord = /(?<![\w$])import(?![\w$])/g;

/**
 * Whether `code` contains the keyword `import` other than as a name of a property. A regular expression cannot tell
 * code from strings, comments and names, but the parser can: with `import` replaced by `enum`, which every property may
 * be named and which starts no expression and no statement, only code that imports stops compiling.
 */
export function usesImport(code: string, filename: string): boolean {
  const replaced = code.replace(importWord, 'enum');
  if (replaced === code) return false;
  try {
    new Script(replaced, { filename });
    return false;
  } catch {
    return true;
  }
}

/** The file name that a bundle is compiled under. */
export function bundleFileName(bundle: BundleSource): string {
  return bundle.filename ?? `workflow-bundle-${bundle.hash.slice(0, 12)}.js`;
}

/**
 * @returns the compiled bundle, to be evaluated in any number of contexts
 * @throws BundleRefusedError if it is not JavaScript or uses `import()` (C1)
 */
export function compileBundle(bundle: BundleSource): Script {
  const filename = bundleFileName(bundle);
  let script: Script;
  try {
    script = new Script(bundle.code, { filename });
  } catch (error) {
    throw new BundleRefusedError(`the bundle ${filename} does not compile: ${(error as Error)?.message}`, {
      cause: error,
      hint: 'make it with bundleWorkflowCode of the same Perdure version',
    });
  }
  if (usesImport(bundle.code, filename)) {
    throw new BundleRefusedError(`the bundle ${filename} uses import()`, {
      hint: 'workflow code is one bundle: use import declarations, and keep loading of other code in activities',
    });
  }
  return script;
}
