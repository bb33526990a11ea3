/**
 * The native addon of a checkout: built when its sources have changed, else taken from the cache.
 *
 * A1  An addon is known by the hash of all it is built from; clones with the same sources share one build.
 * A2  The cache holds only complete files: each is written aside and renamed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { run } from './exec.mjs';
import { cacheDir, root } from './paths.mjs';
import { thisPlatform } from './platforms.mjs';

const place = join(root, 'packages', 'core', 'native', 'perdure.node');
const stamp = `${place}.sources`;

/**
 * Puts the addon of the present sources where packages/core looks for it.
 * @param {(line: string) => void} say gets a line when something has to be compiled
 */
export async function ensureAddon(say) {
  const key = addonKey();
  if (existsSync(place) && (await readFile(stamp, 'utf8').catch(() => '')) === key) return;
  const cached = join(cacheDir, 'addons', `${key}.node`);
  if (existsSync(cached)) {
    await copyInto(cached, place);
  } else {
    say('Building the native addon (from nothing, 4 to 6 minutes on two cores)');
    const { code } = await run([process.execPath, 'packages/core/scripts/build-native.mjs'], {
      env: process.stderr.isTTY ? {} : { CARGO_TERM_QUIET: 'true' },
    });
    if (code !== 0) throw new Error('the addon could not be built; the output above says why');
    await copyInto(place, cached);
  }
  await writeFile(stamp, key);
}

/** A2 */
async function copyInto(from, to) {
  await mkdir(dirname(to), { recursive: true });
  const aside = `${to}.${randomUUID()}.tmp`;
  await copyFile(from, aside);
  await rename(aside, to);
}

/** A1 */
function addonKey() {
  const sum = createHash('sha256').update(process.env.RUSTFLAGS ?? '');
  for (const path of sources()) sum.update(`${path}\0`).update(readFileSync(join(root, path)));
  return `${thisPlatform()}-${sum.digest('hex').slice(0, 32)}`;
}

function sources() {
  const below = (dir) =>
    readdirSync(join(root, dir), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .sort();
  const crates = below('crates').filter((path) => !/^crates\/[^/]+\/tests\//.test(path));
  return ['Cargo.toml', 'Cargo.lock', 'packages/core/package.json', ...crates, ...below('proto')];
}
