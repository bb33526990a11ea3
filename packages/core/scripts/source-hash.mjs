/**
 * Names the Rust sources by their content, for PERDURE_SOURCE_HASH.
 *
 * Several checkouts may share one target directory. To cargo their crates are the same crates, and it compares times
 * only: it would take what another checkout has built for our own. The build scripts of our crates run again when
 * this variable changes, so whoever calls cargo on a shared target directory has to set it.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const FILES = ['Cargo.toml', 'Cargo.lock'];
const FOLDERS = ['bench/floor', 'crates', 'proto'];

/** @param {string} root of the checkout */
export function sourceHash(root) {
  const sum = createHash('sha256');
  const add = (path) => sum.update(`${path}\0`).update(readFileSync(join(root, path)));
  for (const file of FILES) add(file);
  for (const dir of FOLDERS) {
    const found = readdirSync(join(root, dir), { recursive: true, withFileTypes: true });
    found
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .sort()
      .forEach(add);
  }
  return sum.digest('hex');
}
