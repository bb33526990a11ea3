/**
 * The files that checks look at: what git tracks or would track, so that build results and installed packages
 * never count.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../tools/exec.mjs';
import { root } from '../tools/paths.mjs';

/** @returns {Promise<string[]>} paths from the root, with forward slashes */
export async function sourceFiles() {
  const { stdout } = await must(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    quiet: true,
  });
  return [...new Set(stdout.split('\0'))].filter((file) => file && existsSync(join(root, file))).sort();
}

export function read(file) {
  return readFileSync(join(root, file), 'utf8');
}
