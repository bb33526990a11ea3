/**
 * The part of tsconfig.json that decides what a source file means: aliases, decorators, class fields, JSX.
 *
 * Leaves  type checking and which files belong to a project: the nearest tsconfig.json above a file is its own.
 * T1  `paths` and `baseUrl` are relative to the file that states them, also through `extends`.
 */
import * as path from 'node:path';
import { BundleError } from './errors';
import type { Inputs } from './inputs';

/** Options of one source file, resolved through `extends`. */
export interface SourceOptions {
  /** Identifies equal options; part of keys. */
  readonly key: string;
  /** Absolute path of `baseUrl`, where given. */
  readonly baseUrl?: string;
  /** Alias pattern (at most one `*`) to absolute path patterns, most specific first. */
  readonly paths: readonly (readonly [pattern: string, targets: readonly string[]])[];
  readonly customConditions: readonly string[];
  readonly experimentalDecorators: boolean;
  readonly emitDecoratorMetadata: boolean;
  readonly strictNullChecks: boolean;
  readonly verbatimModuleSyntax: boolean;
  /** False: fields are assigned, as TypeScript does by default for targets before ES2022. */
  readonly useDefineForClassFields: boolean;
  readonly jsx?: 'classic' | 'automatic';
  readonly jsxFactory?: string;
  readonly jsxFragmentFactory?: string;
  readonly jsxImportSource?: string;
}

/** Placeholder for the directory of the project's own tsconfig.json. */
const CONFIG_DIR = '${configDir}';

type CompilerOptions = Record<string, unknown>;

const DEFAULT_OPTIONS: SourceOptions = {
  key: '',
  paths: [],
  customConditions: [],
  experimentalDecorators: false,
  emitDecoratorMetadata: false,
  strictNullChecks: true,
  verbatimModuleSyntax: false,
  useDefineForClassFields: true,
};

/** Finds and reads tsconfig.json files. */
export class TsConfigs {
  private readonly byDirectory = new Map<string, SourceOptions>();
  private readonly byFile = new Map<string, SourceOptions>();

  constructor(
    private readonly inputs: Inputs,
    /** Resolves a package specifier of `extends` from a directory to a file. */
    private readonly resolvePackageFile: (specifier: string, directory: string) => string | undefined,
  ) {}

  /** Options of the files in a directory: those of the nearest tsconfig.json above. */
  forDirectory(directory: string): SourceOptions {
    const known = this.byDirectory.get(directory);
    if (known !== undefined) return known;
    const file = path.join(directory, 'tsconfig.json');
    const parent = path.dirname(directory);
    const options = this.inputs.isFile(file)
      ? this.load(file)
      : parent === directory
        ? DEFAULT_OPTIONS
        : this.forDirectory(parent);
    this.byDirectory.set(directory, options);
    return options;
  }

  private load(file: string): SourceOptions {
    let options = this.byFile.get(file);
    if (options === undefined) {
      options = resolveOptions(this.compilerOptions(file, path.dirname(file), []));
      this.byFile.set(file, options);
    }
    return options;
  }

  private compilerOptions(file: string, projectDirectory: string, seen: readonly string[]): CompilerOptions {
    if (seen.includes(file)) {
      throw new BundleError('BUNDLE_SYNTAX_INVALID', `tsconfig files extend each other in a circle`, [
        { message: [...seen, file].join(' extends '), file },
      ]);
    }
    const config = parseConfig(this.inputs.read(file), file);
    const directory = path.dirname(file);
    const bases =
      config.extends === undefined ? [] : Array.isArray(config.extends) ? config.extends : [config.extends];
    const merged: CompilerOptions = {};
    for (const base of bases) {
      if (typeof base !== 'string') continue;
      const baseFile = this.findBase(base, directory);
      if (baseFile === undefined) {
        throw new BundleError('BUNDLE_IMPORT_UNRESOLVED', `cannot find the tsconfig "${base}"`, [
          { message: `"extends" names "${base}"`, file },
        ]);
      }
      Object.assign(merged, this.compilerOptions(baseFile, projectDirectory, [...seen, file]));
    }
    const own = config.compilerOptions;
    if (typeof own !== 'object' || own === null) return merged;
    const resolved = { ...(own as CompilerOptions) };
    const absolute = (value: string) => path.resolve(directory, value.replace(CONFIG_DIR, projectDirectory));
    // T1: made absolute by the file that states them.
    if (typeof resolved.baseUrl === 'string') resolved.baseUrl = absolute(resolved.baseUrl);
    if (typeof resolved.paths === 'object' && resolved.paths !== null) {
      const root = (resolved.baseUrl ?? merged.baseUrl ?? directory) as string;
      resolved.paths = Object.fromEntries(
        Object.entries(resolved.paths as Record<string, unknown>).map(([pattern, targets]) => [
          pattern,
          (Array.isArray(targets) ? targets : [])
            .filter((target): target is string => typeof target === 'string')
            .map((target) => path.resolve(root, target.replace(CONFIG_DIR, projectDirectory))),
        ]),
      );
    }
    return Object.assign(merged, resolved);
  }

  private findBase(base: string, directory: string): string | undefined {
    if (path.isAbsolute(base) || /^\.\.?(?:[/\\]|$)/.test(base)) {
      const file = path.resolve(directory, base);
      return [file, `${file}.json`, path.join(file, 'tsconfig.json')].find((candidate) =>
        this.inputs.isFile(candidate),
      );
    }
    return this.resolvePackageFile(base, directory);
  }
}

function resolveOptions(options: CompilerOptions): SourceOptions {
  const flag = (name: string): boolean | undefined =>
    typeof options[name] === 'boolean' ? (options[name] as boolean) : undefined;
  const text = (name: string): string | undefined =>
    typeof options[name] === 'string' ? (options[name] as string) : undefined;
  const target = (text('target') ?? 'es2022').toLowerCase();
  const jsx = text('jsx');
  const resolved: Omit<SourceOptions, 'key'> = {
    baseUrl: text('baseUrl'),
    paths: Object.entries((options.paths ?? {}) as Record<string, string[]>).sort(
      ([a], [b]) => specificity(b) - specificity(a),
    ),
    customConditions: Array.isArray(options.customConditions) ? (options.customConditions as string[]) : [],
    experimentalDecorators: flag('experimentalDecorators') ?? false,
    emitDecoratorMetadata: flag('emitDecoratorMetadata') ?? false,
    strictNullChecks: flag('strictNullChecks') ?? flag('strict') ?? true,
    verbatimModuleSyntax: flag('verbatimModuleSyntax') ?? flag('preserveValueImports') ?? false,
    useDefineForClassFields:
      flag('useDefineForClassFields') ?? !/^es(?:3|5|6|20(?:1[5-9]|2[01]))$/.test(target),
    jsx: jsx === undefined ? undefined : jsx === 'react' ? 'classic' : 'automatic',
    jsxFactory: text('jsxFactory'),
    jsxFragmentFactory: text('jsxFragmentFactory'),
    jsxImportSource: text('jsxImportSource'),
  };
  return { ...resolved, key: JSON.stringify(resolved) };
}

/** Exact patterns first, then the longest prefix, as TypeScript matches them. */
function specificity(pattern: string): number {
  const star = pattern.indexOf('*');
  return star === -1 ? Number.POSITIVE_INFINITY : star;
}

function parseConfig(text: string, file: string): { extends?: unknown; compilerOptions?: unknown } {
  try {
    const value: unknown = JSON.parse(stripJsonComments(text) || '{}');
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    throw new BundleError('BUNDLE_SYNTAX_INVALID', 'a tsconfig file is not valid', [
      { message: (error as Error).message, file },
    ]);
  }
}

/** JSON with comments and trailing commas, made plain JSON. */
export function stripJsonComments(text: string): string {
  return text
    .replace(
      /("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
      (_match, string: string | undefined) => string ?? ' ',
    )
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_match, string: string | undefined) => string ?? '')
    .trim();
}
