/**
 * `npm run release`, run by the release workflow: publishes every package whose version is not published yet, from the
 * same staging that `npm run check:packages` has checked, and tags it.
 *
 * R1  Addons of all platforms are published before the core that names them.
 * R2  A second run publishes what a first one did not get to, and nothing twice.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, npmCommand, run } from './tools/exec.mjs';
import { remove, stageAll } from './tools/pack.mjs';
import { packageBin, readJson } from './tools/paths.mjs';
import { PLATFORMS } from './tools/platforms.mjs';

const platforms = Object.keys(PLATFORMS); // R1: staging fails if one has not been built
const scratch = await mkdtemp(join(tmpdir(), 'perdure-publish-'));
try {
  for (const { name, dir } of await stageAll(scratch, platforms)) {
    const { version } = readJson(join(dir, 'package.json'));
    if (await isPublished(`${name}@${version}`)) continue; // R2
    await must([...npmCommand(), 'publish', dir, '--access', 'public', '--ignore-scripts']);
    console.log(`published ${name}@${version}`);
  }
} finally {
  await remove(scratch);
}
await must([process.execPath, packageBin('@changesets/cli', 'changeset'), 'tag']);

async function isPublished(spec) {
  const { code, stdout } = await run([...npmCommand(), 'view', spec, 'version'], { quiet: true });
  return code === 0 && stdout.trim() !== '';
}
