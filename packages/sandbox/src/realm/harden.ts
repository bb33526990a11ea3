/**
 * Evaluated in a context: value is a function that makes the context's intrinsics immutable.
 *
 * K1  Nothing that the walk reaches can be changed afterwards, except bytes in typed arrays.
 * K2  Where libraries assign to an instance what its prototype also has (the "override mistake"), the
 *     prototype's property becomes an accessor whose setter defines it on the instance.
 * K3  Properties that V8 guards with protectors (array and promise species, iterators, `then`, `exec`) stay
 *     plain data: turning them into accessors makes arrays and promises of the whole isolate many times slower.
 */
(function makeHardener(): import('../realm-parts').Hardener {
  const { getOwnPropertyDescriptor, defineProperty, getPrototypeOf, freeze } = Object;
  const { ownKeys } = Reflect;
  const { isView } = ArrayBuffer;
  const global = globalThis as unknown as Record<PropertyKey, any>;

  /** K2 */
  function allowOverride(owner: object, key: PropertyKey): void {
    const found = getOwnPropertyDescriptor(owner, key);
    if (found === undefined || !('value' in found) || !found.configurable) return;
    const { value } = found;
    const accessor = {
      get() {
        return value;
      },
      set(this: object, next: unknown) {
        if (this === owner) throw new TypeError(`cannot assign to ${String(key)} of a shared object`);
        if (getOwnPropertyDescriptor(this, key) !== undefined) {
          (this as Record<PropertyKey, unknown>)[key] = next;
        } else {
          defineProperty(this, key, { value: next, writable: true, enumerable: true, configurable: true });
        }
      },
    };
    defineProperty(owner, key, {
      get: accessor.get,
      set: accessor.set,
      enumerable: found.enumerable ?? false,
      configurable: false,
    });
  }

  // K3: `then`, `next`, `exec`, Array's constructor and the like are not in this list on purpose.
  const overridable: Record<string, readonly PropertyKey[] | 'all'> = {
    Object: 'all',
    Array: ['toString'],
    Function: ['constructor', 'bind', 'toString', 'call', 'apply'],
    Error: ['constructor', 'message', 'name', 'toString'],
    TypeError: ['constructor', 'message', 'name'],
    RangeError: ['constructor', 'message', 'name'],
    SyntaxError: ['constructor', 'message', 'name'],
    ReferenceError: ['constructor', 'message', 'name'],
    EvalError: ['constructor', 'message', 'name'],
    URIError: ['constructor', 'message', 'name'],
    AggregateError: ['constructor', 'message', 'name'],
    Promise: ['catch', 'finally'],
    Date: ['constructor', 'toString', 'toJSON', 'valueOf'],
    Map: ['constructor', 'get', 'has', 'delete', 'clear', 'forEach'],
    Set: ['constructor', 'has', 'delete', 'clear', 'forEach'],
    WeakMap: ['constructor', 'get', 'set', 'has', 'delete'],
    WeakSet: ['constructor', 'add', 'has', 'delete'],
    RegExp: ['toString'],
    String: ['toString', 'valueOf', 'constructor'],
    Number: ['toString', 'valueOf', 'constructor'],
    Boolean: ['toString', 'valueOf', 'constructor'],
  };

  const done = new Set<object>();
  const queue: object[] = [];
  let frozen = 0;

  function isObject(value: unknown): value is object {
    return (typeof value === 'object' && value !== null) || typeof value === 'function';
  }
  function add(value: unknown): void {
    if (isObject(value) && !done.has(value)) {
      done.add(value);
      queue.push(value);
    }
  }
  function freezeQueued(): void {
    for (let object = queue.pop(); object !== undefined; object = queue.pop()) {
      add(getPrototypeOf(object));
      for (const key of ownKeys(object)) {
        const descriptor = getOwnPropertyDescriptor(object, key)!;
        if ('value' in descriptor) add(descriptor.value);
        else {
          add(descriptor.get);
          add(descriptor.set);
        }
      }
      if (isView(object)) continue; // V8 cannot freeze views that have elements
      freeze(object);
      frozen++;
    }
  }

  /** Objects of the language that no global names: found by using the syntax that makes them. */
  function hiddenIntrinsics(): unknown[] {
    const roots: unknown[] = [
      function* () {},
      async function* () {},
      async () => {},
      (async function* () {})(),
      (function* () {})(),
      [][Symbol.iterator](),
      new Map().keys(),
      new Set().keys(),
      ''[Symbol.iterator](),
      'a'.matchAll(/a/g),
    ].map(getPrototypeOf);
    if (typeof Intl === 'object' && Intl.Segmenter !== undefined) {
      const segments = new Intl.Segmenter('en').segment('a');
      roots.push(getPrototypeOf(segments), getPrototypeOf(segments[Symbol.iterator]()));
    }
    const iterator = global.Iterator;
    if (typeof iterator === 'function' && typeof iterator.from === 'function') {
      roots.push(getPrototypeOf(iterator.from({ next() {} })));
      roots.push(getPrototypeOf(iterator.from([]).map((x: unknown) => x)));
    }
    return roots;
  }

  function hardenIntrinsics(names: readonly string[], extra: readonly unknown[]): void {
    for (const name of ownKeys(overridable) as string[]) {
      const prototype = global[name]?.prototype;
      if (prototype === undefined) continue;
      const keys = overridable[name]!;
      for (const key of keys === 'all' ? ownKeys(prototype) : keys) allowOverride(prototype, key);
    }
    const iteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
    for (const key of ['constructor', 'toString', Symbol.toStringTag]) allowOverride(iteratorPrototype, key);
    for (const root of hiddenIntrinsics()) add(root);
    for (const root of extra) add(root);
    done.add(global);
    for (const name of names) {
      const descriptor = getOwnPropertyDescriptor(global, name);
      if (descriptor !== undefined && 'value' in descriptor) add(descriptor.value);
    }
    freezeQueued();
  }

  function hardenModule(root: object): void {
    const found = new Set<object>();
    const pending: object[] = [];
    const prototypes = new Set<object>();
    const visit = (value: unknown): void => {
      if (!isObject(value) || done.has(value) || found.has(value)) return;
      found.add(value);
      pending.push(value);
    };
    visit(root);
    for (let object = pending.pop(); object !== undefined; object = pending.pop()) {
      const parent = getPrototypeOf(object);
      if (parent !== null && !done.has(parent)) prototypes.add(parent);
      visit(parent);
      for (const key of ownKeys(object)) {
        const descriptor = getOwnPropertyDescriptor(object, key)!;
        if ('value' in descriptor) {
          visit(descriptor.value);
          if (typeof object === 'function' && key === 'prototype' && isObject(descriptor.value)) {
            prototypes.add(descriptor.value);
          }
        } else {
          visit(descriptor.get);
          visit(descriptor.set);
        }
      }
    }
    for (const prototype of prototypes) {
      if (done.has(prototype)) continue;
      for (const key of ownKeys(prototype)) {
        // A class that is another's prototype: its own `prototype`, `name` and `length` are not inherited uses.
        if (typeof prototype === 'function' && (key === 'prototype' || key === 'name' || key === 'length'))
          continue;
        allowOverride(prototype, key);
      }
    }
    add(root);
    freezeQueued();
  }

  /** K1 for the global object itself. */
  function sealGlobal(): void {
    add(getPrototypeOf(global)); // not Object.prototype: V8 puts an object of its own between
    freezeQueued();
    for (const key of ownKeys(global)) {
      const descriptor = getOwnPropertyDescriptor(global, key)!;
      if (!descriptor.configurable) continue;
      defineProperty(
        global,
        key,
        'value' in descriptor ? { writable: false, configurable: false } : { configurable: false },
      );
    }
    freeze(global);
  }

  return {
    hardenIntrinsics,
    hardenModule,
    sealGlobal,
    frozenCount() {
      return frozen;
    },
  };
});
