/**
 * One build: module graph in, script and source map out. Loads rollup, so it is only loaded on a cache miss.
 *
 * Owns    the rollup plugin: virtual entries, resolution by policy, loading, what must not be in a bundle.
 * Leaves  what a file means to transform.ts, free names to free-names.ts, the script's shape to assemble.ts.
 * B1  One virtual entry per workflow type: rollup groups modules by the set of types that need them.
 * B2  All problems of a build are reported together, each with the way that led to it.
 */

import { SourceMap } from 'node:module';
import * as path from 'node:path';
import * as vm from 'node:vm';
import { HOST_MODULES } from '@perdure/common/bundle';
import type { OutputChunk, PartialResolvedId, Plugin, PluginContext, RollupBuild, RollupLog } from 'rollup';
import { type AssembledBundle, assembleBundle, type BundleEntry } from './assemble';
import { cutChunks, findPreludes } from './chunk-order';
import { discoverWorkflows } from './discover';
import {
  BundleError,
  type BundleErrorCode,
  type BundleProblem,
  makeCodeFrame,
  positionOfOffset,
} from './errors';
import type { Node } from './free-names';
import { HELPER_PREFIX, helperSourceOrThrow } from './helpers';
import { hashContent, type Inputs } from './inputs';
import { ignoredModuleSource, judgeModule } from './module-policy';
import type { ResolvedBundleOptions } from './options';
import { isPureStatement } from './purity';
import { isDependency, isTypeScript, Resolver } from './resolver';
import { sourceMapUrl, type TransformedModule, transformModule } from './transform';

/** What a build gives, before it is cached. */
export interface BuildResult extends AssembledBundle {
  readonly workflowTypes: readonly string[];
  readonly warnings: readonly BundleProblem[];
}

/** Results of transforming modules, kept between builds: a rebuild pays for changed files only. */
export class TransformCache {
  private readonly modules = new Map<string, { key: string; result: TransformedModule }>();

  get(file: string, key: string, make: () => TransformedModule): TransformedModule {
    const known = this.modules.get(file);
    if (known?.key === key) return known.result;
    const result = make();
    this.modules.set(file, { key, result });
    return result;
  }
}

const VIRTUAL = '\0perdure:';
const ENTRY = `${VIRTUAL}entry:`;
const IGNORED = `${VIRTUAL}ignored:`;
const EMPTY = `${VIRTUAL}empty`;
/** Stands for a module that a dependency asks for and may not have; fine for as long as nothing uses it. */
const ABSENT = `${VIRTUAL}absent:`;
const HELPER = `${VIRTUAL}helper:`;

/** Adds functions to `Reflect`, which is frozen: runs of bundles with it get a `Reflect` of their own. */
const REFLECT_METADATA = /[\\/]node_modules[\\/]reflect-metadata[\\/][^\\/]+\.js$/;
const OWN_REFLECT =
  'if(!Object.hasOwn(globalThis,"Reflect"))globalThis.Reflect=Object.defineProperties({},Object.getOwnPropertyDescriptors(globalThis.Reflect));';

/** What the plugin says about a specifier; null leaves it to the others. */
type Resolved = PartialResolvedId | string | null;

/** Nothing is written there: rollup wants a place to make paths relative to. */
const OUTPUT_DIRECTORY = path.parse(process.cwd()).root;

const HOST = new Set(HOST_MODULES);

interface Problem extends BundleProblem {
  readonly code: BundleErrorCode;
  readonly hint?: string;
  /** Module at fault, for the chain of imports. */
  readonly importer?: string;
}

/** TypeScript that is compiled to CommonJS may mix `import` and `require('x')`. */
const REQUIRES = /\brequire\s*\(\s*['"`]/;

/** A CommonJS module turned up in a build that was begun without support for them. */
class CommonJsNeeded extends Error {}

/**
 * @throws {BundleError} with every problem found
 */
export async function buildBundle(
  options: ResolvedBundleOptions,
  inputs: Inputs,
  transforms = new TransformCache(),
): Promise<BuildResult> {
  // Most small workflows import no CommonJS: loading support for it costs more than bundling them.
  try {
    return await new Build(options, inputs, transforms, false).run();
  } catch (error) {
    if (!(error instanceof CommonJsNeeded)) throw error;
    return await new Build(options, inputs, transforms, true).run();
  }
}

class Build {
  private readonly resolver: Resolver;
  private readonly problems: Problem[] = [];
  private readonly warnings: BundleProblem[] = [];
  private readonly entries: BundleEntry[] = [];
  private readonly entrySources = new Map<string, string>();
  /** Reasons why an ABSENT module is absent. */
  private readonly absences = new Map<string, Problem>();
  private readonly transformed = new Map<string, TransformedModule>();
  private readonly importers = new Map<string, readonly string[]>();
  private preloadRoots: string[] = [];
  private preloaded = new Set<string>();
  private sequences = new Map<string, string[]>();
  private hasEffects: (id: string) => boolean = () => true;
  private commonJsNeeded = false;

  constructor(
    private readonly options: ResolvedBundleOptions,
    private readonly inputs: Inputs,
    private readonly transforms: TransformCache,
    private readonly withCommonJs: boolean,
  ) {
    this.resolver = new Resolver(inputs, options.nodeModulesPaths);
  }

  async run(): Promise<BuildResult> {
    const { rollup } = require('rollup') as typeof import('rollup');
    let build: RollupBuild;
    try {
      build = await rollup({
        input: [],
        plugins: [this.plugin(), ...(this.withCommonJs ? [this.commonJsPlugin()] : [])],
        onLog: (level, log) => this.log(level, log),
        treeshake: { unknownGlobalSideEffects: false },
        shimMissingExports: true,
        preserveSymlinks: true,
        cache: false,
      });
    } catch (error) {
      if (this.commonJsNeeded) throw new CommonJsNeeded();
      this.throwProblems();
      throw this.describeFailure(error as RollupLog);
    }
    try {
      this.throwProblems();
      let chunks = await this.generate(build, (id) => (this.preloaded.has(id) ? 'preloaded' : undefined));
      const sequences = this.sequences;
      const hasEffects = (id: string) => !this.preloaded.has(id) && this.hasEffects(id);
      const cuts = cutChunks(chunks, sequences, hasEffects);
      if (cuts !== undefined) {
        chunks = await this.generate(build, (id) => (this.preloaded.has(id) ? 'preloaded' : cuts.get(id)));
      }
      const preludes = findPreludes(chunks, sequences, hasEffects);
      this.findUsedAbsences(chunks);
      this.throwProblems();
      const assembled = assembleBundle(
        chunks,
        this.entries,
        this.preloaded,
        [...this.importers.keys()].some((id) => REFLECT_METADATA.test(id)) ? new Set(['Reflect']) : new Set(),
        preludes,
      );
      for (const refusal of assembled.refusals) {
        this.problems.push(refusedConstruct(refusal));
      }
      this.throwProblems();
      this.checkSyntax(assembled);
      this.throwProblems();
      return {
        ...assembled,
        workflowTypes: this.entries.filter((entry) => entry.role === 'workflow').map((entry) => entry.type!),
        warnings: this.warnings,
      };
    } catch (error) {
      if (error instanceof BundleError) throw error;
      throw this.describeFailure(error as RollupLog);
    } finally {
      await build.close();
    }
  }

  private async generate(
    build: RollupBuild,
    manualChunks: (id: string) => string | undefined,
  ): Promise<OutputChunk[]> {
    const { output } = await build.generate({
      format: 'cjs',
      exports: 'named',
      esModule: false,
      strict: false,
      interop: 'default',
      externalLiveBindings: false,
      freeze: false,
      hoistTransitiveImports: false,
      minifyInternalExports: false,
      generatedCode: { preset: 'es2015', symbols: false },
      sourcemap: 'hidden',
      // Rollup makes sources relative to the chunk; they stay the absolute paths that they are.
      sourcemapPathTransform: (source) => path.resolve(OUTPUT_DIRECTORY, source),
      dir: OUTPUT_DIRECTORY,
      sanitizeFileName: (name) => name.replace(/[^\w.@-]+/g, '_'),
      chunkFileNames: '[name]',
      manualChunks,
    });
    return output.filter((item): item is OutputChunk => item.type === 'chunk');
  }

  // ---- the plugin ----

  private plugin(): Plugin {
    const self = this;
    return {
      name: 'perdure',
      async buildStart() {
        await self.addEntries(this);
      },
      // Without order 'pre': support for CommonJS puts a resolver of its own in front, and must stay there.
      resolveId(source, importer, { custom }) {
        const nodeResolve = (custom as { 'node-resolve'?: { isRequire?: boolean } } | undefined)?.[
          'node-resolve'
        ];
        return self.resolveId(source, importer, nodeResolve?.isRequire === true);
      },
      load: (id) => self.load(id),
      transform(code, id) {
        if (self.withCommonJs || id.startsWith('\0') || !/\b(?:require|module|exports)\b/.test(code))
          return null;
        const program = this.parse(code, { allowReturnOutsideFunction: true });
        const isModule = program.body.some(({ type }) => /^(?:Import|Export)/.test(type));
        if (isModule && (isDependency(id) || !REQUIRES.test(code))) return null;
        self.commonJsNeeded = true;
        throw new CommonJsNeeded();
      },
      moduleParsed(info) {
        self.importers.set(info.id, info.importers);
      },
      buildEnd(error) {
        if (error !== undefined) return;
        for (const id of this.getModuleIds()) self.importers.set(id, this.getModuleInfo(id)?.importers ?? []);
        self.findPreloaded(this);
        self.findOrder(this);
      },
      // Left as they are: the finished text is searched for them, wherever they come from.
      resolveDynamicImport: (specifier) =>
        typeof specifier === 'string' ? { id: specifier, external: true } : null,
      renderDynamicImport: () => ({ left: 'import(', right: ')' }),
      resolveImportMeta: (property) => (property === null ? 'import.meta' : `import.meta.${property}`),
    };
  }

  private commonJsPlugin(): Plugin {
    const module = require('@rollup/plugin-commonjs') as typeof import('@rollup/plugin-commonjs') & {
      default?: typeof import('@rollup/plugin-commonjs').default;
    };
    const commonjs = (module.default ?? module) as typeof import('@rollup/plugin-commonjs').default;
    return commonjs({
      extensions: ['.js', '.cjs', '.mjs', '.jsx', '.ts', '.cts', '.mts', '.tsx', ''],
      strictRequires: true,
      transformMixedEsModules: true,
      // What is required is the module itself, also where it has ES module syntax by our own making.
      requireReturnsDefault: (id) => id.startsWith(VIRTUAL) || id.endsWith('.json'),
      esmExternals: false,
    });
  }

  private async addEntries(context: PluginContext): Promise<void> {
    const { options } = this;
    const workflows = this.resolver.resolvePath(options.workflowsPath);
    if (workflows === undefined) {
      this.problems.push({
        code: 'BUNDLE_ENTRY_NOT_FOUND',
        message: `there is no module at ${options.workflowsPath} (workflowsPath)`,
        hint: 'give the path of the file that exports the workflows, for instance require.resolve("./workflows")',
      });
    } else {
      const discovered = await discoverWorkflows(context, workflows, {
        resolve: async (specifier, importer, isRequire) => {
          const resolved = this.resolveId(specifier, importer, isRequire);
          const id = typeof resolved === 'object' ? resolved?.id : undefined;
          return id === undefined || id.startsWith('\0') || HOST.has(id) ? undefined : id;
        },
        codeOf: (id) => this.transformed.get(id)?.code ?? '',
      });
      const alsoInterceptors = options.workflowInterceptorModules.some(
        (module) => this.resolveEntry(module) === workflows,
      );
      for (const { type, module, exportName, before } of discovered) {
        if (alsoInterceptors && type === 'interceptors') continue;
        this.addEntry(context, 'workflow', type, module, exportName, before);
      }
      if (discovered.length === 0) {
        this.warnings.push({ message: 'the workflows module exports no function', file: workflows });
      }
    }
    for (const module of options.workflowInterceptorModules) {
      this.addExtra(context, 'interceptors', module, 'interceptors', 'workflowInterceptorModules');
    }
    if (options.payloadConverterPath !== undefined) {
      this.addExtra(
        context,
        'payloadConverter',
        options.payloadConverterPath,
        'payloadConverter',
        'payloadConverterPath',
      );
    }
    if (options.failureConverterPath !== undefined) {
      this.addExtra(
        context,
        'failureConverter',
        options.failureConverterPath,
        'failureConverter',
        'failureConverterPath',
      );
    }
    for (const module of options.preloadModules) {
      const file = this.resolveEntry(module);
      if (file === undefined) {
        this.problems.push({
          code: 'BUNDLE_ENTRY_NOT_FOUND',
          message: `cannot find ${JSON.stringify(module)} (preloadModules)`,
        });
      } else this.preloadRoots.push(file);
    }
    // Rollup asks for an entry even where there is nothing to do.
    if (this.entries.length === 0) {
      this.entrySources.set(`${ENTRY}none`, 'export {};');
      context.emitFile({ type: 'chunk', id: `${ENTRY}none`, fileName: 'none' });
    }
  }

  private addExtra(
    context: PluginContext,
    role: 'interceptors' | 'payloadConverter' | 'failureConverter',
    module: string,
    exportName: string,
    option: string,
  ): void {
    const file = this.resolveEntry(module);
    if (file === undefined) {
      this.problems.push({
        code: 'BUNDLE_ENTRY_NOT_FOUND',
        message: `cannot find ${JSON.stringify(module)} (${option})`,
        hint: 'give an absolute path, for instance from require.resolve',
      });
    } else this.addEntry(context, role, undefined, file, exportName, []);
  }

  /** A module named in the options: a path, or a specifier as the workflows module would write it. */
  private resolveEntry(module: string): string | undefined {
    if (module.startsWith('file:') || path.isAbsolute(module) || /^\.\.?[/\\]/.test(module)) {
      const resolved = this.resolver.resolvePath(
        module.startsWith('file:') ? new URL(module).pathname : path.resolve(module),
      );
      if (resolved !== undefined || path.isAbsolute(module)) return resolved;
    }
    const resolved = this.resolver.resolve(module, this.options.workflowsPath, 'import');
    return resolved.kind === 'file' ? resolved.path : undefined;
  }

  private addEntry(
    context: PluginContext,
    role: BundleEntry['role'],
    type: string | undefined,
    module: string,
    exportName: string,
    before: readonly string[],
  ): void {
    const chunk = `${role === 'workflow' ? 'w' : role === 'interceptors' ? 'i' : role}${this.entries.length}`;
    const id = `${ENTRY}${chunk}`;
    const outName = role === 'workflow' ? 'workflow' : role;
    const imports = [...new Set(before)].map((other) => `import ${JSON.stringify(other)};\n`).join('');
    const name = /^[A-Za-z_$][\w$]*$/.test(exportName) ? exportName : JSON.stringify(exportName);
    this.entrySources.set(id, `${imports}export { ${name} as ${outName} } from ${JSON.stringify(module)};\n`); // B1
    this.entries.push({ role, type, chunk, exportName: outName, module });
    context.emitFile({ type: 'chunk', id, fileName: chunk, preserveSignature: 'exports-only' });
  }

  private resolveId(source: string, importer: string | undefined, isRequire: boolean): Resolved {
    if (source.startsWith(VIRTUAL)) return source;
    if (source.startsWith('\0') || importer === undefined) return null;
    if (source.startsWith(HELPER_PREFIX)) return HELPER + source.slice(HELPER_PREFIX.length);
    const from = importer.replace(/^\0/, '').replace(/\?.*$/, '');
    if (importer.startsWith(ENTRY)) {
      return { id: source, moduleSideEffects: this.resolver.hasSideEffects(source) };
    }
    const verdict = judgeModule(source, this.options.ignoreModules);
    switch (verdict.kind) {
      case 'host':
        return { id: source, external: true, moduleSideEffects: false };
      case 'ignored':
        return virtual(IGNORED + source);
      case 'empty':
        return virtual(EMPTY);
      case 'refused':
        if (verdict.installable) {
          const installed = this.resolver.resolve(source, from, isRequire ? 'require' : 'import');
          if (installed.kind === 'empty') return virtual(EMPTY);
          if (installed.kind === 'file') {
            return { id: installed.path, moduleSideEffects: this.resolver.hasSideEffects(installed.path) };
          }
        }
        return this.absent(source, from, {
          code: 'BUNDLE_MODULE_DISALLOWED',
          message: `${source} cannot be imported in workflow code; ${verdict.hint}`,
        });
    }
    try {
      const found = this.resolver.resolve(source, from, isRequire ? 'require' : 'import');
      if (found.kind === 'file') {
        return { id: found.path, moduleSideEffects: this.resolver.hasSideEffects(found.path) };
      }
      if (found.kind === 'empty') return virtual(EMPTY);
      return this.absent(source, from, {
        code: 'BUNDLE_IMPORT_UNRESOLVED',
        message: `cannot find ${JSON.stringify(source)}: ${found.reason}`,
      });
    } catch (error) {
      this.addError(error);
      return virtual(EMPTY);
    }
  }

  /** The user's own import is a mistake at once; a library's only when something reaches it. */
  private absent(source: string, importer: string, problem: Problem): Resolved {
    const located: Problem = { ...problem, ...this.locateSpecifier(source, importer), importer };
    const key = `${source}\0${importer}`;
    if (!this.absences.has(key)) {
      this.absences.set(key, located);
      if (!isDependency(importer)) this.problems.push(located);
    }
    return virtual(ABSENT + source);
  }

  private locateSpecifier(
    specifier: string,
    file: string,
  ): Pick<BundleProblem, 'file' | 'line' | 'column' | 'codeFrame'> {
    const text = this.inputs.readIfFile(file);
    if (text === undefined) return { file };
    const pattern = new RegExp(`(?:from|import|require\\s*\\()\\s*(['"\`])${escapeRegExp(specifier)}\\1`);
    const match = pattern.exec(text);
    if (match === null) return { file };
    const { line, column } = positionOfOffset(text, match.index);
    return { file, line, column, codeFrame: makeCodeFrame(text, line, column) };
  }

  private load(id: string): { code: string; map?: any; syntheticNamedExports?: boolean } | null {
    if (id.startsWith(ENTRY)) return { code: this.entrySources.get(id)! };
    if (id.startsWith(HELPER)) return { code: helperSourceOrThrow(id.slice(HELPER.length)) };
    if (id.startsWith(IGNORED)) {
      return { code: ignoredModuleSource(id.slice(IGNORED.length)), syntheticNamedExports: true };
    }
    if (id === EMPTY || id.startsWith(ABSENT)) {
      return { code: 'export default {};', syntheticNamedExports: true };
    }
    if (id.startsWith('\0') || !path.isAbsolute(id)) return null;
    try {
      const result = this.loadFile(id);
      this.transformed.set(id, result);
      return { code: result.code, map: result.map ?? null };
    } catch (error) {
      this.addError(error, id);
      return { code: 'export default {};', syntheticNamedExports: true };
    }
  }

  private loadFile(file: string): TransformedModule {
    const source = this.inputs.read(file);
    const options = this.resolver.sourceOptions(file);
    let previousMap: string | undefined;
    if (options !== undefined && !isTypeScript(file)) previousMap = this.previousMap(file, source);
    const key = [
      this.inputs.hash(file),
      options?.key,
      previousMap === undefined ? '' : hashContent(previousMap),
    ].join();
    return this.transforms.get(file, key, () => {
      const result = transformModule(file, source, options, previousMap);
      return REFLECT_METADATA.test(file) ? { ...result, code: OWN_REFLECT + result.code } : result;
    });
  }

  /** Map of the user's code that was compiled before it came here. */
  private previousMap(file: string, source: string): string | undefined {
    const url = sourceMapUrl(source);
    if (url === undefined) return undefined;
    const inline = /^data:application\/json(?:;charset=[\w-]+)?;base64,(.*)$/.exec(url);
    if (inline !== null) return Buffer.from(inline[1]!, 'base64').toString('utf8');
    if (/^[a-z]+:/.test(url)) return undefined;
    return this.inputs.readIfFile(path.resolve(path.dirname(file), decodeURIComponent(url)));
  }

  // ---- after the graph is known ----

  private findPreloaded(context: PluginContext): void {
    const pending = [...this.preloadRoots];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (this.preloaded.has(id)) continue;
      const info = context.getModuleInfo(id);
      if (info === null || info.isExternal) continue;
      this.preloaded.add(id);
      // CommonJS modules hang on their proxies.
      for (const other of context.getModuleIds()) {
        if (other.startsWith(`\0${id}?`) || other.startsWith(`${id}?`)) pending.push(other);
      }
      pending.push(...info.importedIds);
    }
  }

  /** Order in which each entry would be evaluated if there were no chunks. */
  private findOrder(context: PluginContext): void {
    for (const entry of this.entrySources.keys()) {
      const seen = new Set<string>();
      const sequence: string[] = [];
      const visit = (id: string): void => {
        if (seen.has(id)) return;
        seen.add(id);
        for (const imported of context.getModuleInfo(id)?.importedIds ?? []) visit(imported);
        sequence.push(id);
      };
      visit(entry);
      this.sequences.set(entry.slice(ENTRY.length), sequence);
    }
    const known = new Map<string, boolean>();
    this.hasEffects = (id) => {
      let effects = known.get(id);
      if (effects === undefined) {
        const info = context.getModuleInfo(id);
        const body = (info?.ast as unknown as Node | null | undefined)?.body as Node[] | undefined;
        effects =
          info?.moduleSideEffects !== false && !(body ?? []).every((statement) => isPureStatement(statement));
        known.set(id, effects);
      }
      return effects;
    };
  }

  private findUsedAbsences(chunks: readonly OutputChunk[]): void {
    const used = new Set<string>();
    for (const chunk of chunks) {
      for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
        if (id.startsWith(ABSENT) && renderedLength > 0)
          used.add(id.slice(ABSENT.length).replace(/\?.*$/, ''));
      }
    }
    for (const [key, problem] of this.absences) {
      const [source, importer] = key.split('\0') as [string, string];
      if (used.has(source) && isDependency(importer)) this.problems.push(problem);
    }
  }

  private chainTo(target: string): string[] {
    const previous = new Map<string, string | undefined>([[target, undefined]]);
    const pending = [target];
    for (let id = pending.shift(); id !== undefined; id = pending.shift()) {
      if (id.startsWith(ENTRY)) {
        const chain: string[] = [];
        for (let at: string | undefined = id; at !== undefined; at = previous.get(at)) {
          if (at.startsWith(VIRTUAL)) continue;
          const file = displayPath(at.replace(/^\0/, '').replace(/\?.*$/, ''));
          if (chain.at(-1) !== file) chain.push(file);
        }
        return chain;
      }
      const proxies = [...this.importers.keys()].filter((other) => other.startsWith(`\0${id}?`));
      for (const importer of [...(this.importers.get(id) ?? []), ...proxies]) {
        if (previous.has(importer)) continue;
        previous.set(importer, id);
        pending.push(importer);
      }
    }
    return [];
  }

  // ---- problems ----

  private addError(error: unknown, importer?: string): void {
    if (error instanceof BundleError) {
      for (const problem of error.problems) {
        if (
          !this.problems.some((other) => other.message === problem.message && other.file === problem.file)
        ) {
          this.problems.push({ ...problem, code: error.code, importer });
        }
      }
    } else {
      this.problems.push({
        code: 'BUNDLE_FAILED',
        message: String((error as Error)?.message ?? error),
        file: importer,
      });
    }
  }

  private log(level: string, log: RollupLog): void {
    if (log.code === 'SHIMMED_EXPORT') {
      const importer = log.binding !== undefined ? log.exporter : undefined;
      const entry = this.entries.find(
        (candidate) => candidate.module === importer && candidate.role === log.binding,
      );
      if (entry !== undefined) {
        this.problems.push({
          code: 'BUNDLE_EXPORT_MISSING',
          message: `the module must export ${JSON.stringify(log.binding)}`,
          file: importer,
        });
        return;
      }
      this.warn({
        message: `"${log.binding}" is imported, but the module does not export it`,
        file: importer,
      });
      return;
    }
    if (level === 'warn' && !QUIET.has(log.code ?? '')) {
      this.warn({ message: log.message, file: log.loc?.file ?? log.id, line: log.loc?.line });
    }
  }

  private warn(warning: BundleProblem): void {
    this.warnings.push(warning);
  }

  private throwProblems(): void {
    if (this.problems.length === 0) return;
    const first = this.problems[0]!;
    const problems = this.problems.map(({ code: _code, hint: _hint, importer, ...problem }) => {
      const chain = importer === undefined ? [] : this.chainTo(importer);
      return chain.length > 1 ? { ...problem, importChain: chain } : problem;
    });
    throw new BundleError(first.code, SUMMARIES[first.code], problems, {
      hint: this.problems.find(({ hint }) => hint !== undefined)?.hint ?? HINTS[first.code],
    });
  }

  private describeFailure(error: RollupLog): BundleError {
    if (error.code === 'INVALID_TLA_FORMAT') {
      const problems = this.findTopLevelAwaits();
      return new BundleError('BUNDLE_TOP_LEVEL_AWAIT', SUMMARIES.BUNDLE_TOP_LEVEL_AWAIT, problems, {
        hint: HINTS.BUNDLE_TOP_LEVEL_AWAIT,
      });
    }
    const file = error.loc?.file ?? error.id;
    const source = file === undefined ? undefined : this.inputs.readIfFile(file);
    // Met while looking for workflows, it comes as an error of ours.
    if (
      (error.code === 'PARSE_ERROR' || error.pluginCode === 'PARSE_ERROR') &&
      file !== undefined &&
      source !== undefined
    ) {
      const { line, column } = this.original(file, error.loc?.line ?? 1, (error.loc?.column ?? 0) + 1);
      const problem = {
        message: error.message.replace(/^.*?: /, ''),
        file,
        line,
        column,
        codeFrame: makeCodeFrame(source, line, column),
      };
      return new BundleError('BUNDLE_SYNTAX_INVALID', SUMMARIES.BUNDLE_SYNTAX_INVALID, [problem], {
        cause: error,
      });
    }
    return new BundleError(
      'BUNDLE_FAILED',
      SUMMARIES.BUNDLE_FAILED,
      [{ message: error.message, file, line: error.loc?.line, column: error.loc?.column }],
      { cause: error },
    );
  }

  /** Rollup reads more than every Node.js does: what it let through must also compile here. */
  private checkSyntax({ script, sourceMap }: AssembledBundle): void {
    try {
      new vm.Script(script, { filename: 'bundle.js' });
    } catch (error) {
      const { message, stack = '' } = error as Error;
      // The stack opens with the place: "bundle.js:12", the line, and a marker under it.
      const [place = '', , marker = ''] = stack.split('\n');
      const entry = new SourceMap(JSON.parse(sourceMap)).findEntry(
        Number(/:(\d+)$/.exec(place)?.[1] ?? 1) - 1,
        Math.max(0, marker.indexOf('^')),
      ) as { originalSource?: string; originalLine?: number; originalColumn?: number };
      const file = entry.originalSource;
      const line = (entry.originalLine ?? 0) + 1;
      const column = (entry.originalColumn ?? 0) + 1;
      const source = file === undefined ? undefined : this.inputs.readIfFile(file);
      const isDecorator = source
        ?.split('\n')
        [line - 1]?.slice(column - 1)
        .startsWith('@');
      this.problems.push({
        code: 'BUNDLE_SYNTAX_INVALID',
        message: `Node.js ${process.version} cannot read this: ${message}`,
        ...(file !== undefined && { file, line, column, importer: file }),
        ...(source !== undefined && { codeFrame: makeCodeFrame(source, line, column) }),
        ...(isDecorator && { hint: 'set "experimentalDecorators" in the tsconfig.json of this file' }),
      });
    }
  }

  /** Position in the source of a position (both from 1) in a transformed module. */
  private original(file: string, line: number, column: number): { line: number; column: number } {
    const map = this.transformed.get(file)?.map;
    if (map === undefined) return { line, column };
    const entry = new SourceMap(map as never).findEntry(line - 1, column - 1) as {
      originalLine?: number;
      originalColumn?: number;
    };
    if (entry.originalLine === undefined) return { line, column };
    return { line: entry.originalLine + 1, column: (entry.originalColumn ?? 0) + 1 };
  }

  private findTopLevelAwaits(): BundleProblem[] {
    const { parseAst } = require('rollup/parseAst') as typeof import('rollup/parseAst');
    const { findTopLevelAwaits } = require('./free-names') as typeof import('./free-names');
    const problems: BundleProblem[] = [];
    for (const [file, { code }] of this.transformed) {
      if (!/\bawait\b/.test(code)) continue;
      for (const start of findTopLevelAwaits(
        parseAst(code, { allowReturnOutsideFunction: true }) as unknown as Node,
      )) {
        const at = positionOfOffset(code, start);
        const { line, column } = this.original(file, at.line, at.column);
        const chain = this.chainTo(file);
        problems.push({
          message: 'await at the top level of a module',
          file,
          line,
          column,
          codeFrame: makeCodeFrame(this.inputs.read(file), line, column),
          ...(chain.length > 1 && { importChain: chain }),
        });
      }
    }
    return problems;
  }
}

function refusedConstruct({
  construct,
  source,
  line,
  column,
  sourceContent,
}: AssembledBundle['refusals'][number]): Problem {
  const code =
    construct === 'import()'
      ? 'BUNDLE_DYNAMIC_IMPORT'
      : construct === 'import.meta'
        ? 'BUNDLE_IMPORT_META'
        : 'BUNDLE_TOP_LEVEL_AWAIT';
  return {
    code,
    message: `${construct} is not possible in workflow code`,
    file: source,
    line,
    column,
    importer: source,
    ...(sourceContent !== undefined &&
      line !== undefined && { codeFrame: makeCodeFrame(sourceContent, line, column ?? 1) }),
  };
}

/** Notes of rollup that say nothing a user must act on. */
const QUIET = new Set([
  'CIRCULAR_DEPENDENCY',
  'THIS_IS_UNDEFINED',
  'EVAL',
  'EMPTY_BUNDLE',
  'MODULE_LEVEL_DIRECTIVE',
  'INVALID_ANNOTATION',
  'SOURCEMAP_BROKEN',
  'UNUSED_EXTERNAL_IMPORT',
]);

const SUMMARIES: Record<BundleErrorCode, string> = {
  BUNDLE_OPTIONS_INVALID: 'the options are not valid:',
  BUNDLE_WEBPACK_HOOK_UNSUPPORTED: 'webpackConfigHook is not supported',
  BUNDLE_ENTRY_NOT_FOUND: 'a module named in the options was not found:',
  BUNDLE_IMPORT_UNRESOLVED: 'the workflow bundle cannot be built, imports were not found:',
  BUNDLE_MODULE_DISALLOWED:
    'the workflow bundle cannot be built, it imports modules that workflow code must not use:',
  BUNDLE_DYNAMIC_IMPORT: 'the workflow bundle cannot be built, it loads modules dynamically:',
  BUNDLE_IMPORT_META: 'the workflow bundle cannot be built, it uses import.meta:',
  BUNDLE_TOP_LEVEL_AWAIT: 'the workflow bundle cannot be built, a module awaits while it loads:',
  BUNDLE_SYNTAX_INVALID: 'the workflow bundle cannot be built, a file has syntax errors:',
  BUNDLE_EXPORT_MISSING: 'the workflow bundle cannot be built, an export is missing:',
  BUNDLE_FAILED: 'the workflow bundle cannot be built:',
};

const HINTS: Partial<Record<BundleErrorCode, string>> = {
  BUNDLE_MODULE_DISALLOWED:
    'move that code to an activity; if a library needs the module only where workflows never go, add it to ignoreModules',
  BUNDLE_IMPORT_UNRESOLVED:
    'install the package or mend the path; if a library does without the module, add it to ignoreModules',
  BUNDLE_DYNAMIC_IMPORT: 'import the module at the top of the file, or do the work in an activity',
  BUNDLE_IMPORT_META: 'pass paths and settings as workflow arguments',
  BUNDLE_TOP_LEVEL_AWAIT:
    'await inside the workflow function: modules are evaluated in one go when a run begins',
};

function virtual(id: string): PartialResolvedId {
  return { id, moduleSideEffects: false };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

function displayPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith('..') || path.isAbsolute(relative) ? file : relative;
}
