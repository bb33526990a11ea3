/** Makes a protobufjs root, as its json-module target writes it, usable like the static types generated beside it. */

interface Reflected {
  readonly nested?: Readonly<Record<string, unknown>>;
  readonly values?: Readonly<Record<string, number>>;
}

/**
 * Gives every namespace, message type and enum of a protobufjs `Root` its members as properties:
 * `root.nested.shop.nested.Order` is also `root.shop.Order`, and enum members are properties of their enum.
 * Changes the root and returns it.
 */
export function patchProtobufRoot<T>(root: T): T {
  patch(root as Reflected, new Set());
  return root;
}

function patch(object: Reflected, seen: Set<unknown>): void {
  if (typeof object !== 'object' || object === null || seen.has(object)) return;
  seen.add(object);
  for (const [name, value] of Object.entries(object.values ?? {})) define(object, name, value);
  for (const [name, member] of Object.entries(object.nested ?? {})) {
    define(object, name, member);
    patch(member as Reflected, seen);
  }
}

function define(target: object, name: string, value: unknown): void {
  if (name in target) return; // reflection's own methods come first
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
