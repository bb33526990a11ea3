/**
 * The layer rule: imports only point down, and packages meet at their exports.
 *
 * Owns    reading imports out of sources and holding them against scripts/layers.json.
 * L1  A package names in package.json, and imports, only packages that its row allows; tests included.
 * L2  No relative import leaves its package, and none goes to another package's lib/, save for the paths in
 *     `publicDeepPaths`, which users may import too, and `innerPaths`, which layers share without showing them.
 * L3  Packages in `withoutNode` import no Node.js module outside of tests.
 * L4  Every imported npm package is declared by the package that imports it.
 * L5  Crates and pure Rust modules keep to their rows.
 */
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { readJson, root, workspacePackages } from '../tools/paths.mjs';
import { read, sourceFiles } from './files.mjs';

const table = readJson(`${root}/scripts/layers.json`);

/** @returns {Promise<string>} a remark; throws with every breach in one message */
export async function checkLayers() {
  const breaches = [];
  const packages = new Map(workspacePackages().map((pkg) => [pkg.short, pkg]));
  for (const pkg of packages.values()) checkManifest(pkg, breaches);

  const files = await sourceFiles();
  let imports = 0;
  for (const file of files) {
    const match = /^packages\/([^/]+)\/(.+\.(?:ts|mts|cts|mjs|cjs))$/.exec(file);
    if (!match || !packages.has(match[1])) continue;
    for (const specifier of importsOf(read(file))) {
      imports += 1;
      const breach = importBreach(packages.get(match[1]), file, match[2], specifier);
      if (breach) breaches.push(`${file}: ${breach}`);
    }
  }
  checkRust(files, breaches);
  if (breaches.length > 0) throw new Error(breaches.join('\n'));
  return `${packages.size} packages, ${imports} imports`;
}

/** L1 for package.json; a cycle cannot be written down in a table without one */
function checkManifest({ short, manifest }, breaches) {
  const allowed = table.packages[short];
  if (!allowed) {
    breaches.push(`packages/${short}: has no row in scripts/layers.json`);
    return;
  }
  for (const [field, extra] of [
    ['dependencies', []],
    ['peerDependencies', []],
    ['optionalDependencies', []],
    ['devDependencies', table.testsMayAlsoUse],
  ]) {
    for (const name of Object.keys(manifest[field] ?? {})) {
      const target = /^@perdure\/([^/]+)$/.exec(name)?.[1];
      if (!target || name.startsWith(`@perdure/${short}-`)) continue; // the addon's own platform packages
      if (![...allowed, ...extra].includes(target)) {
        breaches.push(`packages/${short}/package.json: ${field} names ${name}, which is not below it`);
      }
    }
  }
}

/** @returns {string | undefined} what is wrong with the import */
export function importBreach({ short, name, manifest }, file, inPackage, specifier) {
  const isTest =
    /\.test\.[cm]?ts$|\/testing\/|^(scripts|test)\//.test(inPackage) || !inPackage.startsWith('src/');
  if (specifier.startsWith('.')) {
    const target = posix.normalize(posix.join(posix.dirname(file), specifier));
    if (isTest && !target.startsWith('packages/')) return undefined; // build scripts may use scripts/
    return target.startsWith(`packages/${short}/`) ? undefined : `"${specifier}" leaves the package`; // L2
  }
  const bare = specifier.replace(/^node:/, '');
  if (specifier.startsWith('node:') || builtinModules.includes(bare)) {
    if (!isTest && table.withoutNode.includes(short)) return `"${specifier}" is a Node.js module`; // L3
    return undefined;
  }
  const imported = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)[1];
  if (imported.startsWith('@perdure/') && imported !== name && !imported.startsWith(`${name}-`)) {
    const target = imported.slice('@perdure/'.length);
    const allowed = [...(table.packages[short] ?? []), ...(isTest ? table.testsMayAlsoUse : [])];
    if (!allowed.includes(target)) return `"${specifier}" is not below ${name}`; // L1
    const isPublic = [...table.publicDeepPaths, ...table.innerPaths].some(
      (path) => specifier === path || (path.endsWith('/') && specifier.startsWith(path)),
    );
    if (specifier.startsWith(`${imported}/lib/`) && !isPublic) {
      return `"${specifier}" is a deep path: use the package's exports`; // L2
    }
  }
  if (imported === name || isTest) return undefined;
  const declared = ['dependencies', 'peerDependencies', 'optionalDependencies'].some(
    (f) => manifest[f]?.[imported],
  );
  return declared ? undefined : `"${imported}" is not in the dependencies of ${name}`; // L4
}

/** L5 */
function checkRust(files, breaches) {
  for (const [crate, { never }] of Object.entries(table.crates)) {
    const manifest = `crates/${crate}/Cargo.toml`;
    if (!files.includes(manifest)) continue;
    for (const name of never) {
      if (new RegExp(`^${name}\\s*[=.]`, 'm').test(read(manifest)))
        breaches.push(`${manifest}: must not use ${name}`);
    }
  }
  for (const [prefix, words] of Object.entries(table.pureRust)) {
    for (const file of files.filter(
      (f) => (f.startsWith(`${prefix}/`) || f === `${prefix}.rs`) && f.endsWith('.rs'),
    )) {
      const code = read(file).replace(/\/\/.*$/gm, '');
      for (const word of words)
        if (code.includes(word)) breaches.push(`${file}: names "${word.trim()}" but is pure`);
    }
  }
}

/**
 * Specifiers of static imports, re-exports, dynamic imports and requires.
 * Comments and template literals (code in tests and examples) do not count.
 */
export function importsOf(source) {
  const strings = [];
  const code = source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|`(?:\\[\s\S]|[^\\`])*`|'(?:\\.|[^\\'\n])*'|"(?:\\.|[^\\"\n])*"/g,
    (token) => {
      if (token.startsWith('/')) return ' ';
      if (token.startsWith('`')) return '``';
      strings.push(token.slice(1, -1));
      return `"${strings.length - 1}"`;
    },
  );
  const found = [];
  for (const pattern of [
    /^\s*(?:import|export)\b[^;"`=]*?\bfrom\s*"(\d+)"/gm,
    /^\s*import\s*"(\d+)"/gm,
    /\b(?:import|require)\s*\(\s*"(\d+)"/g,
    /\brequire\.resolve\s*\(\s*"(\d+)"/g,
  ]) {
    for (const match of code.matchAll(pattern)) found.push(strings[Number(match[1])]);
  }
  return found;
}
