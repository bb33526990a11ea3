/** Which code can be evaluated sooner, later or not at all without anyone noticing. Errs on the side of "cannot". */
import type { Node } from './free-names';

/** `function (Kind) { ... }(Kind || {})` or `(...)({})`, what the transformer makes of an enum. */
export function isEnum(node: Node): boolean {
  return (
    node.type === 'CallExpression' &&
    node.callee.type === 'FunctionExpression' &&
    node.arguments.length === 1 &&
    (node.arguments[0].type === 'LogicalExpression' ? node.arguments[0].right : node.arguments[0]).type ===
      'ObjectExpression'
  );
}

/**
 * Whether evaluating a statement of a module's top level does nothing that could be noticed.
 * @param isPureCall  says of calls whether they are known to be harmless
 */
export function isPureStatement(statement: Node, isPureCall: (call: Node) => boolean = () => false): boolean {
  switch (statement.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'FunctionDeclaration':
    case 'EmptyStatement':
      return true;
    case 'ExportNamedDeclaration':
      return statement.declaration === null || isPureStatement(statement.declaration, isPureCall);
    case 'ExportDefaultDeclaration':
      return (
        isPureStatement(statement.declaration, isPureCall) ||
        isPureExpression(statement.declaration, isPureCall)
      );
    case 'VariableDeclaration':
      return statement.declarations.every(
        (declarator: Node) =>
          declarator.id.type === 'Identifier' &&
          (declarator.init === null || isPureExpression(declarator.init, isPureCall)),
      );
    case 'ExpressionStatement':
      return statement.expression.type === 'Literal'; // 'use strict'
    default:
      return false;
  }
}

function isPureExpression(node: Node, isPureCall: (call: Node) => boolean): boolean {
  switch (node.type) {
    case 'Literal':
    case 'Identifier':
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
      return true;
    case 'TemplateLiteral':
      return node.expressions.length === 0;
    case 'ArrayExpression':
      return node.elements.every(
        (element: Node | null) => element === null || isPureExpression(element, isPureCall),
      );
    case 'ObjectExpression':
      return node.properties.every(
        (property: Node) =>
          property.type === 'Property' && !property.computed && isPureExpression(property.value, isPureCall),
      );
    case 'CallExpression':
      return isEnum(node) || isPureCall(node);
    default:
      return false;
  }
}
