/**
 * Finds the names that a chunk uses without declaring them, and turns them into properties of the run's global object.
 *
 * F1  A name of REALM_GLOBALS stays: it means the same, frozen thing in every run.
 * F2  Every other free name `foo` becomes `globalThis.foo`, `globalThis` being the factory's parameter; a call
 *     keeps getting `undefined` as `this`.
 * F3  Scopes are those of strict mode; rollup's output is a module.
 * F4  Edits never span lines, so that the source map only shifts within a line.
 */
import { REALM_GLOBALS } from '@perdure/common/bundle';

/** A node of the ESTree that rollup's parser gives. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: any;
}

/** Replaces `[start, end)` by text without line breaks. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A construct that cannot be in a bundle, found in its final text. */
export interface Refusal {
  readonly construct: 'import()' | 'import.meta' | 'top-level await';
  readonly start: number;
}

export interface FreeNameResult {
  readonly edits: readonly Edit[];
  readonly refusals: readonly Refusal[];
  /** Free names that became properties of the global object. */
  readonly globals: ReadonlySet<string>;
}

/** Names by which libraries look for the global object. */
const GLOBAL_ALIASES = new Set(['globalThis', 'global', 'self']);

const KEPT = new Set(REALM_GLOBALS);

enum Use {
  Read,
  Write,
  Call,
  /** `{ foo }` in an expression. */
  Shorthand,
  /** `({ foo } = value)`. */
  ShorthandWrite,
}

interface Reference {
  readonly name: string;
  readonly start: number;
  readonly use: Use;
  readonly scope: Scope;
  /** The reference opens a statement in a list of statements, after which no semicolon may be missing. */
  readonly opensStatement: boolean;
}

class Scope {
  readonly names = new Set<string>();
  constructor(
    readonly parent: Scope | undefined,
    /** `var` declarations end up in the nearest scope of this sort. */
    readonly holdsVars: boolean,
  ) {}

  declares(name: string): boolean {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) {
      if (scope.names.has(name)) return true;
    }
    return false;
  }
}

/**
 * @param program  of the chunk's text
 * @param own      free names that the chunk's wrapper provides
 * @param kept     starts of further references that stay as they are
 * @param ownedByRun  names of REALM_GLOBALS that the run has its own of
 */
export function resolveFreeNames(
  program: Node,
  own: ReadonlySet<string>,
  kept: ReadonlySet<number> = new Set(),
  ownedByRun: ReadonlySet<string> = new Set(),
): FreeNameResult {
  const analysis = new Analysis();
  analysis.program(program);
  const edits: Edit[] = [];
  const globals = new Set<string>();
  for (const reference of analysis.references) {
    const { name } = reference;
    if (own.has(name) || kept.has(reference.start) || reference.scope.declares(name)) continue;
    if (KEPT.has(name) && !ownedByRun.has(name) && !isWrite(reference.use)) continue; // F1
    const edit = rewrite(reference);
    if (edit === undefined) continue;
    if (!GLOBAL_ALIASES.has(name)) globals.add(name);
    edits.push(edit);
  }
  edits.sort((a, b) => a.start - b.start);
  return { edits, refusals: analysis.refusals, globals };
}

function isWrite(use: Use): boolean {
  return use === Use.Write || use === Use.ShorthandWrite;
}

function rewrite({ name, start, use, opensStatement }: Reference): Edit | undefined {
  const end = start + name.length;
  if (GLOBAL_ALIASES.has(name) && !isWrite(use)) {
    if (use === Use.Shorthand) return { start: end, end, text: ': globalThis' };
    return name === 'globalThis' ? undefined : { start, end, text: 'globalThis' };
  }
  const property = `globalThis.${name}`;
  switch (use) {
    case Use.Read:
    case Use.Write:
      return { start, end: start, text: 'globalThis.' };
    case Use.Shorthand:
    case Use.ShorthandWrite:
      return { start: end, end, text: `: ${property}` };
    case Use.Call:
      // A parenthesis at the start of a line would continue a statement that relies on automatic semicolons.
      return { start, end, text: `${opensStatement ? ';' : ''}(0, ${property})` };
  }
}

class Analysis {
  readonly references: Reference[] = [];
  readonly refusals: Refusal[] = [];
  private functionDepth = 0;
  /** Start of the statement that is walked, when it stands in a list of statements. */
  private listStatementStart = -1;

  program(program: Node): void {
    const scope = new Scope(undefined, true);
    this.hoist(program.body, scope);
    this.statements(program.body, scope);
  }

  private reference(node: Node, use: Use, scope: Scope): void {
    this.references.push({
      name: node.name,
      start: node.start,
      use,
      scope,
      opensStatement: node.start === this.listStatementStart,
    });
  }

  // ---- declarations ----

  /** Declares what the statements of a function or program declare: `var` at any depth, the rest at this level. */
  private hoist(statements: readonly Node[], scope: Scope): void {
    for (const statement of statements) {
      this.declareLexical(statement, scope);
      this.declareVars(statement, scope);
    }
  }

  private declareLexical(statement: Node, scope: Scope): void {
    if (statement.type === 'VariableDeclaration' && statement.kind !== 'var') {
      for (const declarator of statement.declarations) declarePattern(declarator.id, scope);
    } else if (statement.type === 'FunctionDeclaration' || statement.type === 'ClassDeclaration') {
      if (statement.id !== null) scope.names.add(statement.id.name);
    } else if (statement.type === 'ImportDeclaration') {
      for (const specifier of statement.specifiers) scope.names.add(specifier.local.name);
    } else if (statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration') {
      if (statement.declaration) this.declareLexical(statement.declaration, scope);
    }
  }

  /** Declares the `var`s of a statement, wherever they stand in it short of inner functions. */
  private declareVars(statement: Node | null | undefined, scope: Scope): void {
    if (statement === null || statement === undefined) return;
    switch (statement.type) {
      case 'VariableDeclaration':
        if (statement.kind === 'var') {
          for (const declarator of statement.declarations) declarePattern(declarator.id, scope);
        }
        return;
      case 'BlockStatement':
        for (const inner of statement.body) this.declareVars(inner, scope);
        return;
      case 'IfStatement':
        this.declareVars(statement.consequent, scope);
        this.declareVars(statement.alternate, scope);
        return;
      case 'ForStatement':
        this.declareVars(statement.init, scope);
        this.declareVars(statement.body, scope);
        return;
      case 'ForInStatement':
      case 'ForOfStatement':
        this.declareVars(statement.left, scope);
        this.declareVars(statement.body, scope);
        return;
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'LabeledStatement':
        this.declareVars(statement.body, scope);
        return;
      case 'TryStatement':
        this.declareVars(statement.block, scope);
        this.declareVars(statement.handler?.body, scope);
        this.declareVars(statement.finalizer, scope);
        return;
      case 'SwitchStatement':
        for (const switchCase of statement.cases) {
          for (const inner of switchCase.consequent) this.declareVars(inner, scope);
        }
        return;
      case 'ExportNamedDeclaration':
        this.declareVars(statement.declaration, scope);
        return;
    }
  }

  // ---- statements ----

  private statements(statements: readonly Node[], scope: Scope): void {
    const outer = this.listStatementStart;
    for (const statement of statements) {
      this.listStatementStart = statement.type === 'ExpressionStatement' ? statement.start : -1;
      this.walk(statement, scope);
    }
    this.listStatementStart = outer;
  }

  private block(statements: readonly Node[], parent: Scope): void {
    const scope = new Scope(parent, false);
    for (const statement of statements) this.declareLexical(statement, scope);
    this.statements(statements, scope);
  }

  private walkAll(nodes: readonly (Node | null)[], scope: Scope): void {
    for (const node of nodes) if (node !== null) this.walk(node, scope);
  }

  private walk(node: Node | null | undefined, scope: Scope): void {
    if (node === null || node === undefined) return;
    switch (node.type) {
      case 'Identifier':
        this.reference(node, Use.Read, scope);
        return;
      case 'Literal':
      case 'ThisExpression':
      case 'Super':
      case 'PrivateIdentifier':
      case 'TemplateElement':
      case 'EmptyStatement':
      case 'DebuggerStatement':
      case 'BreakStatement': // labels are no names
      case 'ContinueStatement':
        return;
      case 'BlockStatement':
        this.block(node.body, scope);
        return;
      case 'LabeledStatement':
        this.walk(node.body, scope);
        return;
      case 'MemberExpression':
        this.walk(node.object, scope);
        if (node.computed) this.walk(node.property, scope);
        return;
      case 'CallExpression':
        this.callee(node.callee, scope);
        this.walkAll(node.arguments, scope);
        return;
      case 'TaggedTemplateExpression':
        this.callee(node.tag, scope);
        this.walk(node.quasi, scope);
        return;
      case 'AssignmentExpression':
        this.target(node.left, scope);
        this.walk(node.right, scope);
        return;
      case 'UpdateExpression':
        this.target(node.argument, scope);
        return;
      case 'ObjectExpression':
        for (const property of node.properties) {
          if (property.type === 'SpreadElement') this.walk(property.argument, scope);
          else if (property.shorthand && property.value.type === 'Identifier') {
            this.reference(property.value, Use.Shorthand, scope);
          } else {
            if (property.computed) this.walk(property.key, scope);
            this.walk(property.value, scope);
          }
        }
        return;
      case 'VariableDeclaration':
        for (const declarator of node.declarations) {
          this.bindingExpressions(declarator.id, scope);
          this.walk(declarator.init, scope);
        }
        return;
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        this.function(node, scope);
        return;
      case 'ClassDeclaration':
      case 'ClassExpression':
        this.class(node, scope);
        return;
      case 'ForStatement': {
        const head = new Scope(scope, false);
        if (node.init) this.declareLexical(node.init, head);
        this.walk(node.init, head);
        this.walk(node.test, head);
        this.walk(node.update, head);
        this.walk(node.body, head);
        return;
      }
      case 'ForInStatement':
      case 'ForOfStatement': {
        if (node.await && this.functionDepth === 0) this.refuse('top-level await', node);
        const head = new Scope(scope, false);
        if (node.left.type === 'VariableDeclaration') {
          this.declareLexical(node.left, head);
          this.walk(node.left, head);
        } else this.target(node.left, head);
        this.walk(node.right, head);
        this.walk(node.body, head);
        return;
      }
      case 'SwitchStatement': {
        this.walk(node.discriminant, scope);
        const inner = new Scope(scope, false);
        for (const switchCase of node.cases) {
          for (const statement of switchCase.consequent) this.declareLexical(statement, inner);
        }
        for (const switchCase of node.cases) {
          this.walk(switchCase.test, inner);
          this.statements(switchCase.consequent, inner);
        }
        return;
      }
      case 'CatchClause': {
        const head = new Scope(scope, false);
        if (node.param) {
          declarePattern(node.param, head);
          this.bindingExpressions(node.param, head);
        }
        this.block(node.body.body, head);
        return;
      }
      case 'AwaitExpression':
        if (this.functionDepth === 0) this.refuse('top-level await', node);
        this.walk(node.argument, scope);
        return;
      case 'ImportExpression':
        this.refuse('import()', node);
        this.walk(node.source, scope);
        return;
      case 'MetaProperty':
        if (node.meta.name === 'import') this.refuse('import.meta', node);
        return;
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        return;
      case 'ExportNamedDeclaration':
        this.walk(node.declaration, scope);
        if (node.source === null) {
          for (const specifier of node.specifiers) {
            if (specifier.local.type === 'Identifier') this.reference(specifier.local, Use.Read, scope);
          }
        }
        return;
      default:
        // Everything else only combines expressions and statements.
        for (const key in node) {
          const child = node[key];
          if (typeof child !== 'object' || child === null) continue;
          if (Array.isArray(child)) {
            for (const element of child) if (typeof element?.type === 'string') this.walk(element, scope);
          } else if (typeof child.type === 'string') this.walk(child, scope);
        }
    }
  }

  private refuse(construct: Refusal['construct'], node: Node): void {
    this.refusals.push({ construct, start: node.start });
  }

  // ---- expressions that are more than a read ----

  private callee(node: Node, scope: Scope): void {
    let callee = node;
    while (callee.type === 'ParenthesizedExpression') callee = callee.expression;
    if (callee.type === 'Identifier') this.reference(callee, Use.Call, scope);
    else this.walk(node, scope);
  }

  /** The left side of an assignment: patterns hold targets, not declarations. */
  private target(node: Node | null, scope: Scope): void {
    if (node === null) return;
    switch (node.type) {
      case 'Identifier':
        this.reference(node, Use.Write, scope);
        return;
      case 'ParenthesizedExpression':
        this.target(node.expression, scope);
        return;
      case 'ArrayPattern':
        for (const element of node.elements) this.target(element, scope);
        return;
      case 'ObjectPattern':
        for (const property of node.properties) {
          if (property.type === 'RestElement') this.target(property.argument, scope);
          else if (property.shorthand) this.shorthandTarget(property.value, scope);
          else {
            if (property.computed) this.walk(property.key, scope);
            this.target(property.value, scope);
          }
        }
        return;
      case 'AssignmentPattern':
        this.target(node.left, scope);
        this.walk(node.right, scope);
        return;
      case 'RestElement':
        this.target(node.argument, scope);
        return;
      default:
        this.walk(node, scope); // a member expression
    }
  }

  private shorthandTarget(value: Node, scope: Scope): void {
    if (value.type === 'AssignmentPattern') {
      this.reference(value.left, Use.ShorthandWrite, scope);
      this.walk(value.right, scope);
    } else this.reference(value, Use.ShorthandWrite, scope);
  }

  /** Walks what a declared pattern evaluates: defaults and computed keys. */
  private bindingExpressions(pattern: Node | null, scope: Scope): void {
    if (pattern === null) return;
    switch (pattern.type) {
      case 'ArrayPattern':
        for (const element of pattern.elements) this.bindingExpressions(element, scope);
        return;
      case 'ObjectPattern':
        for (const property of pattern.properties) {
          if (property.type === 'RestElement') continue;
          if (property.computed) this.walk(property.key, scope);
          this.bindingExpressions(property.value, scope);
        }
        return;
      case 'AssignmentPattern':
        this.bindingExpressions(pattern.left, scope);
        this.walk(pattern.right, scope);
        return;
      case 'RestElement':
        this.bindingExpressions(pattern.argument, scope);
        return;
    }
  }

  private function(node: Node, outer: Scope): void {
    this.functionDepth++;
    let scope = outer;
    if (node.type === 'FunctionExpression' && node.id) {
      scope = new Scope(scope, false);
      scope.names.add(node.id.name);
    }
    // Defaults of parameters do not see the body's variables: two scopes.
    const parameters = new Scope(scope, true);
    if (node.type !== 'ArrowFunctionExpression') parameters.names.add('arguments');
    for (const parameter of node.params) declarePattern(parameter, parameters);
    for (const parameter of node.params) this.bindingExpressions(parameter, parameters);
    if (node.body.type === 'BlockStatement') {
      const body = new Scope(parameters, true);
      this.hoist(node.body.body, body);
      this.statements(node.body.body, body);
    } else this.walk(node.body, parameters);
    this.functionDepth--;
  }

  private class(node: Node, outer: Scope): void {
    const scope = new Scope(outer, false);
    if (node.id) scope.names.add(node.id.name);
    this.walk(node.superClass, scope);
    for (const member of node.body.body) {
      if (member.type === 'StaticBlock') {
        this.functionDepth++;
        const block = new Scope(scope, true);
        this.hoist(member.body, block);
        this.statements(member.body, block);
        this.functionDepth--;
        continue;
      }
      if (member.computed) this.walk(member.key, scope);
      if (member.value) {
        this.functionDepth++;
        this.walk(member.value, scope);
        this.functionDepth--;
      }
    }
  }
}

function declarePattern(pattern: Node | null, scope: Scope): void {
  if (pattern === null) return;
  switch (pattern.type) {
    case 'Identifier':
      scope.names.add(pattern.name);
      return;
    case 'ArrayPattern':
      for (const element of pattern.elements) declarePattern(element, scope);
      return;
    case 'ObjectPattern':
      for (const property of pattern.properties) {
        declarePattern(property.type === 'RestElement' ? property.argument : property.value, scope);
      }
      return;
    case 'AssignmentPattern':
      declarePattern(pattern.left, scope);
      return;
    case 'RestElement':
      declarePattern(pattern.argument, scope);
      return;
  }
}

/** Offsets of every `await` that no function encloses. */
export function findTopLevelAwaits(program: Node): number[] {
  return resolveFreeNames(program, new Set())
    .refusals.filter(({ construct }) => construct === 'top-level await')
    .map(({ start }) => start);
}

/** Applies edits that are sorted and do not overlap. */
export function applyEdits(code: string, edits: readonly Edit[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, text } of edits) {
    result += code.slice(at, start) + text;
    at = end;
  }
  return result + code.slice(at);
}
