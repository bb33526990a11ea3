/**
 * From an import specifier to a file, as Node.js, TypeScript and bundlers agree to find it.
 *
 * Leaves  what may be imported at all to module-policy.ts.
 * R1  A file is known by its real path: a symlinked workspace package is the user's own source.
 * R2  `exports` and `imports` of package.json are law where they exist: no reaching around them.
 */
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Inputs } from './inputs';
import { type LocatePackage, locateByPlugAndPlay } from './plug-and-play';
import { type SourceOptions, TsConfigs } from './tsconfig';

/** How a module is asked for; decides the conditions of package exports. */
export type ImportKind = 'import' | 'require';

export type Resolution =
  | { readonly kind: 'file'; readonly path: string }
  /** A package says that this module is not for bundles like ours (`"browser": { "fs": false }`). */
  | { readonly kind: 'empty' }
  | { readonly kind: 'missing'; readonly reason: string };

interface PackageJson {
  readonly directory: string;
  readonly name?: string;
  readonly main?: string;
  readonly module?: string;
  readonly browser?: string | Record<string, string | false>;
  readonly exports?: unknown;
  readonly imports?: unknown;
  readonly type?: string;
  readonly sideEffects?: boolean | readonly string[];
  readonly tsconfig?: string;
}

const SOURCE_FIRST = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json'];
const SCRIPT_FIRST = ['.js', '.mjs', '.cjs', '.jsx', '.json', '.ts', '.tsx', '.mts', '.cts'];

/** A `.js` specifier in TypeScript means the file it will be compiled from. */
const SOURCES_OF: Record<string, readonly string[]> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};

const NODE_MODULES = `${path.sep}node_modules${path.sep}`;

export function isTypeScript(file: string): boolean {
  return /\.[cm]?tsx?$/.test(file);
}

export function isDependency(file: string): boolean {
  return file.includes(NODE_MODULES);
}

/** Package of a bare specifier, and the rest of it as a subpath of that package. */
export function splitPackageSpecifier(specifier: string): { name: string; subpath: string } | undefined {
  const match = /^((?:@[^/\\%]+\/)?[^./\\%@][^/\\%]*)(?:\/(.*))?$/.exec(specifier);
  return match === null
    ? undefined
    : { name: match[1]!, subpath: match[2] === undefined ? '.' : `./${match[2]}` };
}

export class Resolver {
  readonly tsConfigs: TsConfigs;
  private readonly packages = new Map<string, PackageJson | undefined>();
  private readonly owners = new Map<string, PackageJson | undefined>();

  /**
   * @param morePaths directories like `node_modules` to look into last, absolute
   * @param locatePackage who knows where packages are that lie in no node_modules
   */
  constructor(
    private readonly inputs: Inputs,
    private readonly morePaths: readonly string[] = [],
    private readonly locatePackage: LocatePackage = locateByPlugAndPlay,
  ) {
    this.tsConfigs = new TsConfigs(inputs, (specifier, directory) =>
      this.findTsConfigBase(specifier, directory),
    );
  }

  /** Options of the tsconfig.json that governs a file; files of dependencies have none. */
  sourceOptions(file: string): SourceOptions | undefined {
    return isDependency(file) ? undefined : this.tsConfigs.forDirectory(path.dirname(file));
  }

  /**
   * @param specifier  as written
   * @param importer   absolute path of the importing file
   */
  resolve(specifier: string, importer: string, kind: ImportKind): Resolution {
    const directory = path.dirname(importer);
    const options = this.sourceOptions(importer);
    const found = this.locate(specifier, directory, importer, kind, options);
    return found.kind === 'file' ? { kind: 'file', path: this.inputs.realPath(found.path) } : found; // R1
  }

  /** A path from the options (a file, a file without its extension, a directory with an index). */
  resolvePath(file: string): string | undefined {
    const found = this.locatePath(file, true);
    return found === undefined ? undefined : this.inputs.realPath(found);
  }

  /** Whether a module's package says that importing it for its effects alone is pointless. */
  hasSideEffects(file: string): boolean {
    if (!isDependency(file)) return true;
    const owner = this.packageOf(path.dirname(file));
    if (owner?.sideEffects === undefined) return true;
    if (typeof owner.sideEffects === 'boolean') return owner.sideEffects;
    const relative = path.relative(owner.directory, file).split(path.sep).join('/');
    return owner.sideEffects.some((glob) => matchesGlob(glob, relative));
  }

  private locate(
    specifier: string,
    directory: string,
    importer: string,
    kind: ImportKind,
    options: SourceOptions | undefined,
  ): Resolution {
    const preferSource = isTypeScript(importer);
    if (specifier.startsWith('file:')) {
      specifier = fileURLToPath(specifier);
    }
    if (path.isAbsolute(specifier) || /^\.\.?(?:\/|$)/.test(specifier)) {
      const target = path.resolve(directory, specifier);
      const mapped = this.browserMapping(target, directory);
      if (mapped === false) return { kind: 'empty' };
      const found = this.locatePath(mapped ?? target, preferSource, /(?:^|\/)\.{0,2}\/?$/.test(specifier));
      if (found === undefined) return { kind: 'missing', reason: `there is no such file: ${target}` };
      const mappedFound = mapped === undefined ? this.browserMapping(found, directory) : undefined;
      if (mappedFound === false) return { kind: 'empty' };
      return { kind: 'file', path: mappedFound ?? found };
    }
    if (specifier.startsWith('#')) {
      const conditions = conditionsFor(kind, options);
      const found = this.resolveInternal(specifier, directory, importer, kind, conditions, options);
      if (found !== undefined) return found;
    }
    const aliased = options === undefined ? undefined : this.resolveAlias(specifier, options);
    if (aliased !== undefined) return { kind: 'file', path: aliased };
    return this.resolvePackage(specifier, directory, kind, options);
  }

  /** Tries a path as it is, with extensions, and as a directory. */
  private locatePath(target: string, preferSource: boolean, directoryOnly = false): string | undefined {
    if (!directoryOnly) {
      const extension = path.extname(target);
      const sources = SOURCES_OF[extension];
      const asSource = (): string | undefined => {
        if (sources === undefined) return undefined;
        const stem = target.slice(0, -extension.length);
        return sources.map((source) => stem + source).find((candidate) => this.inputs.isFile(candidate));
      };
      if (preferSource) {
        const source = asSource();
        if (source !== undefined) return source;
      }
      if (this.inputs.isFile(target)) return target;
      const extended = (preferSource ? SOURCE_FIRST : SCRIPT_FIRST)
        .map((candidate) => target + candidate)
        .find((candidate) => this.inputs.isFile(candidate));
      if (extended !== undefined) return extended;
      if (!preferSource) {
        const source = asSource();
        if (source !== undefined) return source;
      }
    }
    if (!this.inputs.isDirectory(target)) return undefined;
    const manifest = this.readPackage(target);
    if (manifest !== undefined) {
      const main = this.mainOf(manifest);
      if (main !== undefined) {
        const file = path.resolve(target, main);
        const found = file === target ? undefined : this.locatePath(file, preferSource);
        if (found !== undefined) return found;
      }
    }
    return (preferSource ? SOURCE_FIRST : SCRIPT_FIRST)
      .map((extension) => path.join(target, `index${extension}`))
      .find((candidate) => this.inputs.isFile(candidate));
  }

  private mainOf(manifest: PackageJson): string | undefined {
    if (typeof manifest.browser === 'string') return manifest.browser;
    return typeof manifest.module === 'string'
      ? manifest.module
      : typeof manifest.main === 'string'
        ? manifest.main
        : undefined;
  }

  private resolveAlias(specifier: string, options: SourceOptions): string | undefined {
    for (const [pattern, targets] of options.paths) {
      const star = pattern.indexOf('*');
      let matched: string;
      if (star === -1) {
        if (pattern !== specifier) continue;
        matched = '';
      } else {
        const prefix = pattern.slice(0, star);
        const suffix = pattern.slice(star + 1);
        if (specifier.length < prefix.length + suffix.length) continue;
        if (!specifier.startsWith(prefix) || !specifier.endsWith(suffix)) continue;
        matched = specifier.slice(prefix.length, specifier.length - suffix.length);
      }
      for (const target of targets) {
        // A target may be a declaration file: types only, nothing to run.
        if (/\.d\.[cm]?ts$/.test(target)) continue;
        const found = this.locatePath(
          target.replace('*', () => matched),
          true,
        );
        if (found !== undefined) return found;
      }
      break; // TypeScript takes the best pattern only
    }
    return options.baseUrl === undefined
      ? undefined
      : this.locatePath(path.join(options.baseUrl, specifier), true);
  }

  private resolvePackage(
    specifier: string,
    directory: string,
    kind: ImportKind,
    options: SourceOptions | undefined,
  ): Resolution {
    const parts = splitPackageSpecifier(specifier);
    if (parts === undefined)
      return { kind: 'missing', reason: 'this is not a specifier that can be resolved' };
    const conditions = conditionsFor(kind, options);
    const browser = this.browserFieldFor(specifier, directory);
    if (browser === false) return { kind: 'empty' };
    if (browser !== undefined) {
      if (browser.startsWith('.')) {
        const owner = this.packageOf(directory)!;
        const found = this.locatePath(path.resolve(owner.directory, browser), false);
        if (found !== undefined) return { kind: 'file', path: found };
      } else if (browser !== specifier) {
        return this.resolvePackage(browser, directory, kind, options);
      }
    }

    const self = this.packageOf(directory);
    if (self?.name === parts.name && self.exports !== undefined) {
      const found = this.resolveExports(self, parts.subpath, conditions);
      if (found !== undefined) return found;
    }
    let reason = `no package "${parts.name}" is installed for ${directory}`;
    for (const root of this.packageRoots(parts.name, directory)) {
      if (this.inputs.isDirectory(root)) {
        const manifest = this.readPackage(root);
        if (manifest?.exports !== undefined && manifest.exports !== null) {
          const found = this.resolveExports(manifest, parts.subpath, conditions); // R2
          if (found !== undefined) return found;
          return {
            kind: 'missing',
            reason: `"exports" of ${path.join(root, 'package.json')} has no "${parts.subpath}" for ${[...conditions].join(', ')}`,
          };
        }
        const target = parts.subpath === '.' ? root : path.join(root, parts.subpath);
        const mapped = this.browserMapping(target, root);
        if (mapped === false) return { kind: 'empty' };
        const found = this.locatePath(mapped ?? target, false, parts.subpath === '.' && mapped === undefined);
        if (found !== undefined) {
          const again = this.browserMapping(found, root);
          if (again === false) return { kind: 'empty' };
          return { kind: 'file', path: again ?? found };
        }
        reason = `package "${parts.name}" is at ${root}, but it has no ${
          parts.subpath === '.' ? 'entry file' : `"${parts.subpath}"`
        }`;
      } else if (this.inputs.isFile(`${root}.js`)) {
        return { kind: 'file', path: `${root}.js` };
      }
    }
    return { kind: 'missing', reason };
  }

  /** Where a package may be for files of a directory, nearest first. */
  private *packageRoots(name: string, directory: string): Generator<string> {
    const located = this.locatePackage(name, directory);
    if (located !== undefined) {
      this.inputs.readIfFile(located.decidedBy); // another installation, another bundle
      yield located.root;
    }
    for (let at = directory; ; at = path.dirname(at)) {
      if (path.basename(at) !== 'node_modules') yield path.join(at, 'node_modules', name);
      if (path.dirname(at) === at) break;
    }
    for (const modules of this.morePaths) yield path.join(modules, name);
  }

  private resolveExports(
    manifest: PackageJson,
    subpath: string,
    conditions: ReadonlySet<string>,
  ): Resolution | undefined {
    const exports = manifest.exports;
    const isMap =
      typeof exports === 'object' &&
      exports !== null &&
      !Array.isArray(exports) &&
      Object.keys(exports).some((key) => key.startsWith('.'));
    const table: Record<string, unknown> = isMap ? (exports as Record<string, unknown>) : { '.': exports };
    const target = matchTable(table, subpath, conditions);
    return target === undefined ? undefined : this.packageTarget(manifest, target);
  }

  private packageTarget(manifest: PackageJson, target: string): Resolution | undefined {
    if (!target.startsWith('./')) return undefined;
    const file = path.join(manifest.directory, target);
    const mapped = this.browserMapping(file, manifest.directory);
    if (mapped === false) return { kind: 'empty' };
    const wanted = mapped ?? file;
    // A linked workspace package may not be built yet: fall back to the source beside the named file.
    const found = this.inputs.isFile(wanted) ? wanted : this.locatePath(wanted, true);
    return found === undefined ? undefined : { kind: 'file', path: found };
  }

  private resolveInternal(
    specifier: string,
    directory: string,
    importer: string,
    kind: ImportKind,
    conditions: ReadonlySet<string>,
    options: SourceOptions | undefined,
  ): Resolution | undefined {
    const manifest = this.packageOf(directory);
    if (typeof manifest?.imports !== 'object' || manifest.imports === null) return undefined;
    const target = matchTable(manifest.imports as Record<string, unknown>, specifier, conditions);
    if (target === undefined) return undefined;
    if (target.startsWith('./')) {
      const file = path.join(manifest.directory, target);
      const found = this.locatePath(file, isTypeScript(importer));
      return found === undefined ? undefined : { kind: 'file', path: found };
    }
    return this.resolvePackage(target, manifest.directory, kind, options);
  }

  /** What the `browser` map of the importing package makes of a bare specifier. */
  private browserFieldFor(specifier: string, directory: string): string | false | undefined {
    const map = this.packageOf(directory)?.browser;
    return typeof map === 'object' ? map[specifier] : undefined;
  }

  /** What the `browser` map of the package around `directory` makes of a file of that package. */
  private browserMapping(file: string, directory: string): string | false | undefined {
    if (!isDependency(file)) return undefined;
    const owner = this.packageOf(directory);
    if (typeof owner?.browser !== 'object' || owner.browser === null) return undefined;
    const relative = `./${path.relative(owner.directory, file).split(path.sep).join('/')}`;
    for (const name of [relative, `${relative}.js`, relative.replace(/\.js$/, ''), relative.slice(2)]) {
      const mapped = owner.browser[name];
      if (mapped === undefined) continue;
      if (mapped === false) return false;
      if (mapped.startsWith('.')) return this.locatePath(path.resolve(owner.directory, mapped), false);
    }
    return undefined;
  }

  /** The nearest package.json above a directory. */
  packageOf(directory: string): PackageJson | undefined {
    if (this.owners.has(directory)) return this.owners.get(directory);
    const owner = this.findPackageOf(directory);
    this.owners.set(directory, owner);
    return owner;
  }

  private findPackageOf(directory: string): PackageJson | undefined {
    if (path.basename(directory) === 'node_modules') return undefined;
    const manifest = this.readPackage(directory);
    // A package.json without a name only sets the module type of a subfolder.
    if (manifest !== undefined && (manifest.name !== undefined || !isDependency(directory))) return manifest;
    const parent = path.dirname(directory);
    return parent === directory ? undefined : this.packageOf(parent);
  }

  private readPackage(directory: string): PackageJson | undefined {
    if (this.packages.has(directory)) return this.packages.get(directory);
    const text = this.inputs.readIfFile(path.join(directory, 'package.json'));
    let manifest: PackageJson | undefined;
    if (text !== undefined) {
      try {
        manifest = { ...(JSON.parse(text) as object), directory } as PackageJson;
      } catch {
        manifest = undefined; // Node.js fails here; a broken file of a stranger is not our business
      }
    }
    this.packages.set(directory, manifest);
    return manifest;
  }

  private findTsConfigBase(specifier: string, directory: string): string | undefined {
    const parts = splitPackageSpecifier(specifier);
    if (parts === undefined) return undefined;
    for (const root of this.packageRoots(parts.name, directory)) {
      if (!this.inputs.isDirectory(root)) continue;
      const manifest = this.readPackage(root);
      if (parts.subpath === '.') {
        const file = path.join(root, manifest?.tsconfig ?? 'tsconfig.json');
        if (this.inputs.isFile(file)) return file;
      }
      if (manifest?.exports !== undefined) {
        const found = this.resolveExports(manifest, parts.subpath, new Set(['require', 'node', 'default']));
        if (found?.kind === 'file') return found.path;
      }
      const file = path.join(root, parts.subpath);
      const found = [file, `${file}.json`, path.join(file, 'tsconfig.json')].find((candidate) =>
        this.inputs.isFile(candidate),
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function conditionsFor(kind: ImportKind, options: SourceOptions | undefined): ReadonlySet<string> {
  // `browser`: of the variants a package offers, it is the one that gets by without Node.js built-ins.
  return new Set([...(options?.customConditions ?? []), kind, 'browser', 'module', 'production', 'default']);
}

/** Looks a key up in an `exports` or `imports` table, patterns included. */
function matchTable(
  table: Record<string, unknown>,
  key: string,
  conditions: ReadonlySet<string>,
): string | undefined {
  if (Object.hasOwn(table, key) && !key.includes('*')) return pickTarget(table[key], conditions, '');
  let best: { pattern: string; star: number; matched: string } | undefined;
  for (const pattern of Object.keys(table)) {
    const star = pattern.indexOf('*');
    if (star === -1) {
      // Folder mappings ("./lib/") are gone from Node.js, but packages still carry them.
      if (
        pattern.endsWith('/') &&
        pattern !== './' &&
        key.startsWith(pattern) &&
        (best === undefined || pattern.length > best.star)
      ) {
        best = { pattern, star: pattern.length, matched: key.slice(pattern.length) };
      }
      continue;
    }
    const suffix = pattern.slice(star + 1);
    if (!key.startsWith(pattern.slice(0, star)) || !key.endsWith(suffix) || key.length < pattern.length)
      continue;
    if (best !== undefined && best.star >= star) continue;
    best = { pattern, star, matched: key.slice(star, key.length - suffix.length) };
  }
  if (best === undefined) return undefined;
  const target = pickTarget(table[best.pattern], conditions, best.matched);
  return target?.endsWith('/') === true ? target + best.matched : target;
}

function pickTarget(target: unknown, conditions: ReadonlySet<string>, matched: string): string | undefined {
  if (typeof target === 'string') return target.replaceAll('*', () => matched);
  if (Array.isArray(target)) {
    for (const candidate of target) {
      const picked = pickTarget(candidate, conditions, matched);
      if (picked !== undefined) return picked;
    }
    return undefined;
  }
  if (typeof target !== 'object' || target === null) return undefined;
  for (const [condition, value] of Object.entries(target)) {
    if (!conditions.has(condition)) continue;
    const picked = pickTarget(value, conditions, matched);
    if (picked !== undefined) return picked;
  }
  return undefined;
}

/** The glob dialect of `sideEffects`: `*`, `**`, `?`, `{a,b}`; a pattern without a slash matches any folder. */
export function matchesGlob(glob: string, relative: string): boolean {
  let pattern = glob.replace(/^\.\//, '');
  if (!pattern.includes('/')) pattern = `**/${pattern}`;
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const rest = pattern.slice(i);
    if (rest.startsWith('**/')) {
      source += '(?:.*/)?';
      i += 2;
    } else if (rest.startsWith('**')) {
      source += '.*';
      i += 1;
    } else if (pattern[i] === '*') source += '[^/]*';
    else if (pattern[i] === '?') source += '[^/]';
    else if (pattern[i] === '{') source += '(?:';
    else if (pattern[i] === '}') source += ')';
    else if (pattern[i] === ',') source += '|';
    else source += pattern[i]!.replace(/[.+^$()|[\]\\]/, '\\$&');
  }
  return new RegExp(`^${source}$`).test(relative);
}
