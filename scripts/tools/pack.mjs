/**
 * Packs the packages as they would be published, and installs them as a stranger would.
 *
 * P1  Nothing of the checkout is in reach of the folder they are installed in: it lies in the system's temp folder.
 * P2  Perdure's own packages come from tarballs, everything else from the registry (or npm's cache).
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, npmCommand } from './exec.mjs';
import { npmInstall } from './npm.mjs';
import { readJson, root, workspacePackages } from './paths.mjs';
import { addonFile, platformManifest, thisPlatform } from './platforms.mjs';

/**
 * Copies every package to `dir` as it is to be published: with only what its manifest lists, without development
 * dependencies, with the licence, and, for the core, with the platform packages as optional dependencies.
 * @param {string[]} platforms whose addon packages are staged, too; each must have been built
 * @returns {Promise<{ name: string, dir: string }[]>} platform packages first, then in the order of the layers
 */
export async function stageAll(dir, platforms) {
  const { version } = readJson(join(root, 'packages', 'core', 'package.json'));
  const staged = [];
  const addons = {};
  for (const platform of platforms) {
    const addon = addonFile(platform);
    if (!addon) throw new Error(`no addon has been built for ${platform}`);
    const manifest = platformManifest(platform, version);
    const to = join(dir, `core-${platform}`);
    await mkdir(to, { recursive: true });
    await cp(addon, join(to, 'perdure.node'));
    await cp(join(root, 'LICENSE'), join(to, 'LICENSE'));
    await writeFile(
      join(to, 'README.md'),
      `# ${manifest.name}\n\n${manifest.description}. Installed by it, never by hand.\n`,
    );
    await writeFile(join(to, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    addons[manifest.name] = version;
    staged.push({ name: manifest.name, dir: to });
  }
  for (const { short, dir: from, manifest } of inLayerOrder()) {
    const { devDependencies, scripts, ...published } = manifest;
    published.files = [...(manifest.files ?? []), '!lib/**/testing/**']; // helpers of tests
    published.typesVersions = typesVersions(manifest.exports);
    if (short === 'core') published.optionalDependencies = { ...published.optionalDependencies, ...addons };
    staged.push(await stage(join(dir, short), from, published));
  }
  return staged;
}

/**
 * Where types of further entries are, for projects that resolve modules as before `exports` ("moduleResolution": "node",
 * which "module": "commonjs" implied until TypeScript 6): there a type that is not found is silently `any`.
 */
export function typesVersions(exports = {}) {
  const entries = Object.entries(exports)
    .filter(([entry, target]) => entry !== '.' && !entry.startsWith('./lib/') && target.types)
    .map(([entry, target]) => [entry.slice(2), [target.types.slice(2)]]);
  return entries.length === 0 ? undefined : { '*': Object.fromEntries(entries) };
}

async function stage(to, from, manifest) {
  await mkdir(to, { recursive: true });
  for (const part of [
    'README.md',
    'CHANGELOG.md',
    ...(manifest.files ?? []).filter((file) => !/[!*]/.test(file)),
  ]) {
    if (existsSync(join(from, part))) await cp(join(from, part), join(to, part), { recursive: true });
  }
  await cp(join(root, 'LICENSE'), join(to, 'LICENSE'));
  await writeFile(join(to, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await compactGenerated(join(to, 'lib'));
  if (WITHOUT_COMMENTS.has(manifest.name)) await dropComments(join(to, 'lib'));
  return { name: manifest.name, dir: to };
}

/** Packages of the client, whose size is promised: what their comments say about the API is in the declarations, too. */
const WITHOUT_COMMENTS = new Set(['@perdure/client', '@perdure/common']);

/** Drops comments that fill lines of their own. */
async function dropComments(dir) {
  for (const file of readdirSync(dir, { recursive: true })) {
    if (!file.endsWith('.js')) continue;
    const path = join(dir, file);
    const text = await readFile(path, 'utf8');
    // A text of several lines might hold what looks like a comment.
    if (text.split('\n').some((line) => (line.match(/`/g) ?? []).length % 2 === 1)) continue;
    const without = text
      .replace(/^[ \t]*\/\*\*[\s\S]*?\*\/[ \t]*\n/gm, '')
      .replace(/^[ \t]*\/\/(?!#).*\n/gm, '');
    await writeFile(path, without);
  }
}

/**
 * Generated code is indented for nobody: a fifth of its size. Nor does anybody need the line in which the compiler sets
 * all exports to undefined first: each has its assignment below, where ES modules find its name, too.
 */
async function compactGenerated(dir) {
  if (!existsSync(dir)) return;
  for (const file of readdirSync(dir, { recursive: true })) {
    const path = join(dir, file);
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    const code = existsSync(path.replace(/\.d\.ts$/, '.js')) ? path.replace(/\.d\.ts$/, '.js') : path;
    if (!/^\/\/ Generated by /m.test(await readFile(code, 'utf8'))) continue;
    const text = await readFile(path, 'utf8');
    if (text.includes('`')) throw new Error(`${path} may hold a text of several lines`);
    await writeFile(path, text.replace(/^[ \t]+/gm, '').replace(/^(?:exports\.\w+ = )+void 0;\n/gm, ''));
  }
}

/** What a package needs comes before it, so that a publication that breaks off leaves nothing that cannot be installed. */
function inLayerOrder() {
  const left = new Map(workspacePackages().map((pkg) => [pkg.name, pkg]));
  const ordered = [];
  while (left.size > 0) {
    const ready = [...left.values()].filter(({ manifest }) =>
      Object.keys(manifest.dependencies ?? {}).every((name) => !left.has(name)),
    );
    if (ready.length === 0) throw new Error(`dependencies form a cycle: ${[...left.keys()].join(', ')}`);
    for (const pkg of ready) {
      ordered.push(pkg);
      left.delete(pkg.name);
    }
  }
  return ordered;
}

/**
 * Packs every package and this machine's addon.
 * @param {string} dir where staged packages and tarballs go
 * @returns {Promise<Map<string, { file: string, bytes: number, unpackedBytes: number, files: string[] }>>} by package name
 */
export async function packAll(dir) {
  const packed = new Map();
  const staged = await stageAll(join(dir, 'staged'), [thisPlatform()]);
  // All at once: npm takes longer to start than to pack.
  const { stdout } = await must(
    [
      ...npmCommand(),
      'pack',
      ...staged.map((each) => each.dir),
      '--json',
      '--ignore-scripts',
      `--pack-destination=${dir}`,
      '--loglevel=error',
    ],
    { quiet: true },
  );
  for (const entry of Object.values(JSON.parse(stdout))) {
    packed.set(entry.name, {
      file: join(dir, entry.filename.replace('@', '').replace('/', '-')),
      bytes: entry.size,
      unpackedBytes: entry.unpackedSize,
      files: entry.files.map((file) => file.path),
    });
  }
  if (packed.size !== staged.length)
    throw new Error(`npm pack has made ${packed.size} of ${staged.length} tarballs`);
  return packed;
}

/**
 * Installs tarballs, and what they need, into a new project.
 * @param {string} dir made when missing
 * @param {ReturnType<typeof packAll> extends Promise<infer T> ? T : never} packed
 * @param {{ name?: string, type?: string, packages?: string[], extra?: Record<string, string> }} options
 *   `packages`: what the project itself asks for, all by default; `extra`: further dependencies by version
 */
export async function installPacked(
  dir,
  packed,
  { name = 'clean', type, packages = [...packed.keys()], extra = {} } = {},
) {
  if (!dir.startsWith(tmpdir())) throw new Error(`P1: ${dir} is not in ${tmpdir()}`);
  await mkdir(dir, { recursive: true });
  const tarball = (pkg) => `file:${packed.get(pkg).file}`;
  const manifest = {
    name,
    private: true,
    ...(type && { type }),
    dependencies: { ...Object.fromEntries(packages.map((pkg) => [pkg, tarball(pkg)])), ...extra },
    // P2: dependencies between Perdure's packages, too
    overrides: Object.fromEntries(
      [...packed.keys()].filter((pkg) => !packages.includes(pkg)).map((pkg) => [pkg, tarball(pkg)]),
    ),
  };
  await writeFile(join(dir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await npmInstall(dir, ['--prefer-offline']);
}

/**
 * Size of an installation, as `du` counts it without rounding up to blocks.
 * @returns {{ totalBytes: number, byPackage: [name: string, bytes: number][] }} largest first
 */
export function installSize(dir) {
  const byPackage = [];
  const modules = join(dir, 'node_modules');
  for (const entry of readdirSync(modules)) {
    if (entry.startsWith('.')) continue;
    const names = entry.startsWith('@')
      ? readdirSync(join(modules, entry)).map((sub) => `${entry}/${sub}`)
      : [entry];
    for (const pkg of names) byPackage.push([pkg, bytesOf(join(modules, pkg))]);
  }
  byPackage.sort((a, b) => b[1] - a[1]);
  return { totalBytes: byPackage.reduce((sum, [, bytes]) => sum + bytes, 0), byPackage };
}

function bytesOf(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

/** Copies an example without what was built or installed in it. */
export async function copyExample(name, dir) {
  const from = join(root, 'docs', 'examples', name);
  await mkdir(dir, { recursive: true });
  for (const part of ['src', 'tsconfig.json'])
    await cp(join(from, part), join(dir, part), { recursive: true });
  return readJson(join(from, 'package.json'));
}

/** Rewrites a file; every pair must match, so that a check cannot pass because it changed nothing. */
export async function edit(file, pairs) {
  let text = await readFile(file, 'utf8');
  for (const [from, to] of pairs) {
    if (!text.includes(from)) throw new Error(`${file} has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  await writeFile(file, text);
}

export async function remove(dir) {
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}
