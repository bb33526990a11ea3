/** The TypeScript projects of the repository, found instead of listed. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.mjs';

/** @returns {string[]} tsconfig files, each of which names what it builds on */
export function typeProjects() {
  return [
    ...subfolders('packages').map((dir) => join(dir, 'tsconfig.test.json')),
    join('tests', 'tsconfig.json'),
    ...subfolders(join('docs', 'examples')).map((dir) => join(dir, 'tsconfig.json')),
  ].filter((file) => existsSync(join(root, file)));
}

function subfolders(dir) {
  return existsSync(join(root, dir))
    ? readdirSync(join(root, dir), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(dir, entry.name))
        .sort()
    : [];
}
