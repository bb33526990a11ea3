/**
 * Finds the workflow types of a module without running it: its exports that can be functions.
 *
 * D1  Each type is led back to the module that defines it, so that a file that only re-exports does not make one
 *     type pay for the imports of another.
 * D2  An export is left out only when it is certain that it cannot be called; the runtime checks the rest.
 * D3  Files that are passed through and do more than re-export keep doing it for each of their types, first.
 */
import type { PluginContext } from 'rollup';
import type { Node } from './free-names';
import { isEnum, isPureStatement } from './purity';

export interface DiscoveredWorkflow {
  /** Workflow type: the export's name in the workflows module. */
  readonly type: string;
  /** Module id to import it from. */
  readonly module: string;
  /** Its export name there. */
  readonly exportName: string;
  /** Module ids to import before, for their effects. */
  readonly before: readonly string[];
}

/** Where the graph stops. */
export interface ModuleBorders {
  resolve(specifier: string, importer: string, isRequire: boolean): Promise<string | undefined>;
  /** Text of a module as handed to rollup. */
  codeOf(id: string): string;
}

/** What is known of an export. */
interface Found {
  readonly module: string;
  readonly exportName: string;
  readonly before: readonly string[];
  readonly callable: boolean;
}

/** Functions of the SDK whose results are never workflows. */
const DEFINERS =
  /^(?:define(?:Signal|Query|Update|SearchAttributeKey)|proxy(?:Local)?Activities|proxySinks|workflowInfo|get\w+Handle)$/;

export async function discoverWorkflows(
  context: PluginContext,
  entry: string,
  borders: ModuleBorders,
): Promise<DiscoveredWorkflow[]> {
  const discovery = new Discovery(context, borders);
  const exports = await discovery.exportsOf(entry, []);
  return [...exports]
    .filter(([, found]) => found.callable)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, { module, exportName, before }]) => ({ type, module, exportName, before }));
}

class Discovery {
  private readonly bodies = new Map<string, Promise<{ body: Node[]; isCommonJs: boolean }>>();

  constructor(
    private readonly context: PluginContext,
    private readonly borders: ModuleBorders,
  ) {}

  private module(id: string): Promise<{ body: Node[]; isCommonJs: boolean }> {
    let loaded = this.bodies.get(id);
    if (loaded === undefined) {
      loaded = this.context.load({ id }).then((info) => ({
        body: ((info.ast as unknown as Node | null)?.body ?? []) as Node[],
        isCommonJs: Boolean((info.meta as { commonjs?: { isCommonJS?: unknown } }).commonjs?.isCommonJS),
      }));
      this.bodies.set(id, loaded);
    }
    return loaded;
  }

  /** All exports of a module, re-exports led back to where they come from. */
  async exportsOf(id: string, path: readonly string[]): Promise<Map<string, Found>> {
    const result = new Map<string, Found>();
    if (path.includes(id)) return result;
    const { body, isCommonJs } = await this.module(id);
    if (isCommonJs) return this.commonJsExports(id, path);
    // D3: passing through this module must not lose what it does.
    const isBarrel = body.every((statement) =>
      isPureStatement(statement, (call) => isDefinition(call, body)),
    );
    const before = isBarrel ? await this.effectImports(id, body) : [id];
    const through = [...path, id];
    const stars: string[] = [];
    for (const statement of body) {
      if (statement.type === 'ExportAllDeclaration') {
        if (statement.exported) {
          const name = nameOf(statement.exported);
          result.set(name, { module: id, exportName: name, before: [], callable: false });
        } else stars.push(statement.source.value);
      } else if (statement.type === 'ExportDefaultDeclaration') {
        const callable = isCallable(statement.declaration, body);
        result.set('default', { module: id, exportName: 'default', before: [], callable });
      } else if (statement.type === 'ExportNamedDeclaration') {
        for (const name of declaredNames(statement.declaration)) {
          const callable = isCallable({ type: 'Identifier', name } as unknown as Node, body);
          result.set(name, { module: id, exportName: name, before: [], callable });
        }
        for (const specifier of statement.specifiers) {
          const name = nameOf(specifier.exported);
          const local = nameOf(specifier.local);
          const from = statement.source
            ? { source: statement.source.value, name: local }
            : importOf(local, body);
          if (from === undefined) {
            result.set(name, {
              module: id,
              exportName: name,
              before: [],
              callable: isCallable(specifier.local, body),
            });
            continue;
          }
          const found = await this.follow(id, from.source, from.name, through);
          if (found !== undefined) result.set(name, passThrough(found, before));
        }
      }
    }
    for (const source of stars) {
      const target = await this.borders.resolve(source, id, false);
      if (target === undefined) continue; // a host module has no workflows
      for (const [name, found] of await this.exportsOf(target, through)) {
        if (name !== 'default' && !result.has(name)) result.set(name, passThrough(found, before));
      }
    }
    return result;
  }

  private async follow(
    importer: string,
    source: string,
    name: string | undefined,
    path: readonly string[],
  ): Promise<Found | undefined> {
    const target = await this.borders.resolve(source, importer, false);
    if (target === undefined || name === undefined) return undefined;
    return (await this.exportsOf(target, path)).get(name);
  }

  private async effectImports(id: string, body: readonly Node[]): Promise<string[]> {
    const imports: string[] = [];
    for (const statement of body) {
      if (statement.type !== 'ImportDeclaration' || statement.specifiers.length > 0) continue;
      const target = await this.borders.resolve(statement.source.value, id, false);
      if (target !== undefined) imports.push(target);
    }
    return imports;
  }

  private async commonJsExports(id: string, path: readonly string[]): Promise<Map<string, Found>> {
    const { parse, init } = require('cjs-module-lexer') as {
      parse(source: string, name?: string): { exports: string[]; reexports: string[] };
      init?: () => Promise<void>;
    };
    await init?.();
    const result = new Map<string, Found>();
    const code = this.borders.codeOf(id);
    const { exports, reexports } = parse(code, id);
    const onlyReexports = exports.every((name) => name === '__esModule') && isCommonJsBarrel(code);
    for (const name of exports) {
      if (name !== '__esModule')
        result.set(name, { module: id, exportName: name, before: [], callable: true });
    }
    for (const source of reexports) {
      const target = await this.borders.resolve(source, id, true);
      if (target === undefined || path.includes(target)) continue;
      for (const [name, found] of await this.exportsOf(target, [...path, id])) {
        if (result.has(name)) continue;
        result.set(
          name,
          onlyReexports ? found : { module: id, exportName: name, before: [], callable: found.callable },
        );
      }
    }
    return result;
  }
}

function passThrough(found: Found, before: readonly string[]): Found {
  return before.length === 0 ? found : { ...found, before: [...before, ...found.before] };
}

/** TypeScript's output for a file of nothing but `export * from`. */
function isCommonJsBarrel(code: string): boolean {
  const rest = code
    .replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    .replace(/var __createBinding = [\s\S]*?\n\}\)\);/, '')
    .replace(/var __exportStar = [\s\S]*?\n\};/, '')
    .replace(/Object\.defineProperty\(exports, ["']__esModule["'], \{ value: true \}\);/, '')
    .replace(/(?:tslib_\d+\.)?__exportStar\(require\(["'][^"']+["']\), exports\);/g, '')
    .replace(/(?:var|const) tslib_\d+ = require\(["']tslib["']\);/, '')
    .replace(/["']use strict["'];?/, '');
  return rest.trim() === '';
}

/** Export specifiers are identifiers or string literals. */
function nameOf(node: Node): string {
  return node.type === 'Literal' ? String(node.value) : node.name;
}

function declaredNames(declaration: Node | null | undefined): string[] {
  if (!declaration) return [];
  if (declaration.type !== 'VariableDeclaration') return declaration.id === null ? [] : [declaration.id.name];
  return declaration.declarations.flatMap((declarator: Node) => patternNames(declarator.id));
}

function patternNames(pattern: Node | null): string[] {
  switch (pattern?.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ArrayPattern':
      return pattern.elements.flatMap(patternNames);
    case 'ObjectPattern':
      return pattern.properties.flatMap((property: Node) =>
        patternNames(property.type === 'RestElement' ? property.argument : property.value),
      );
    case 'AssignmentPattern':
      return patternNames(pattern.left);
    case 'RestElement':
      return patternNames(pattern.argument);
    default:
      return [];
  }
}

function importOf(
  local: string,
  body: readonly Node[],
): { source: string; name: string | undefined } | undefined {
  for (const statement of body) {
    if (statement.type !== 'ImportDeclaration') continue;
    for (const specifier of statement.specifiers) {
      if (specifier.local.name !== local) continue;
      const name =
        specifier.type === 'ImportDefaultSpecifier'
          ? 'default'
          : specifier.type === 'ImportNamespaceSpecifier'
            ? undefined
            : nameOf(specifier.imported);
      return { source: statement.source.value, name };
    }
  }
  return undefined;
}

/** Whether an expression can evaluate to a function; true when in doubt (D2). */
function isCallable(node: Node, body: readonly Node[], depth = 0): boolean {
  switch (node.type) {
    case 'Literal':
    case 'TemplateLiteral':
    case 'ObjectExpression':
    case 'ArrayExpression':
    case 'ClassExpression':
    case 'ClassDeclaration':
    case 'NewExpression':
    case 'BinaryExpression':
    case 'UnaryExpression':
    case 'UpdateExpression':
      return false;
    case 'CallExpression':
      return !isEnum(node) && !isDefinition(node, body);
    case 'Identifier': {
      if (node.name === 'undefined') return false;
      if (depth > 8) return true;
      const declared = declarationOf(node.name, body);
      return declared === undefined || isCallable(declared, body, depth + 1);
    }
    default:
      return true;
  }
}

/** `defineSignal(...)` and the like. */
function isDefinition(call: Node, body: readonly Node[]): boolean {
  const name =
    call.callee.type === 'Identifier' ? importedSdkName(call.callee.name, body) : sdkMember(call, body);
  return name !== undefined && DEFINERS.test(name);
}

function importedSdkName(local: string, body: readonly Node[]): string | undefined {
  const from = importOf(local, body);
  return from?.source === '@perdure/workflow' ? from.name : undefined;
}

/** `wf.defineSignal` of `import * as wf from '@perdure/workflow'`. */
function sdkMember(call: Node, body: readonly Node[]): string | undefined {
  const { callee } = call;
  if (callee.type !== 'MemberExpression' || callee.computed || callee.object.type !== 'Identifier')
    return undefined;
  const from = importOf(callee.object.name, body);
  return from?.source === '@perdure/workflow' ? callee.property.name : undefined;
}

/** What a top-level name is declared as, when it is never assigned again. */
function declarationOf(name: string, body: readonly Node[]): Node | undefined {
  for (const statement of body) {
    const declaration =
      statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration'
        ? statement.declaration
        : statement;
    if (!declaration) continue;
    if (declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration') {
      if (declaration.id?.name === name) return declaration;
    } else if (declaration.type === 'VariableDeclaration') {
      for (const declarator of declaration.declarations) {
        if (declarator.id.type !== 'Identifier' || declarator.id.name !== name || !declarator.init) continue;
        if (declaration.kind === 'const' || isEnum(declarator.init)) return declarator.init;
      }
    }
  }
  return undefined;
}
