/** The lock file is held against the package.json files: what one asks for, the other must have locked. */
import { join } from 'node:path';
import { readJson, root, workspacePackages } from '../tools/paths.mjs';

const FIELDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

export function checkLock() {
  const lock = readJson(join(root, 'package-lock.json')).packages;
  const problems = [];
  const manifests = [
    ['', readJson(join(root, 'package.json'))],
    ...workspacePackages().map(({ short, manifest }) => [`packages/${short}`, manifest]),
  ];
  for (const [path, manifest] of manifests) {
    for (const field of FIELDS) {
      const asked = JSON.stringify(Object.entries(manifest[field] ?? {}).sort());
      const locked = JSON.stringify(Object.entries(lock[path]?.[field] ?? {}).sort());
      if (asked !== locked)
        problems.push(`${path || 'package.json'}: ${field} are ${asked}, locked ${locked}`);
    }
  }
  for (const [path, entry] of Object.entries(lock)) {
    for (const name of Object.keys(entry.dependencies ?? {})) {
      if (!isLocked(lock, path, name))
        problems.push(`package-lock.json: ${path || 'the root'} needs ${name}, not locked`);
    }
  }
  if (problems.length > 0)
    throw new Error(`${problems.join('\n')}\n"npm install --package-lock-only" mends it`);
  return `${Object.keys(lock).length} entries`;
}

/** Looks where Node.js would look. */
function isLocked(lock, from, name) {
  for (let dir = from; ; dir = dir.slice(0, Math.max(0, dir.lastIndexOf('/')))) {
    if (lock[dir ? `${dir}/node_modules/${name}` : `node_modules/${name}`]) return true;
    if (dir === '') return false;
  }
}
