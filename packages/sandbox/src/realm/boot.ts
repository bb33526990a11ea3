/**
 * Evaluated in a realm after the other parts: puts them together and gives the host the few functions it needs.
 *
 * B1  Every function of the host is called through `guarded`: what it throws, stack overflows included, is
 *     replaced by an error of this realm, and its result is a primitive.
 * B2  Each run's global object inherits from one frozen object; assigning to a name defines it on the run's own.
 * B3  What travels in the host's async context is an empty token: some Node.js versions leave it on every promise,
 *     where workflow code can see it. The record it stands for is known here alone.
 */
(function boot(
  parts: import('../realm-parts').RealmParts,
  host: import('../realm-parts').BootHost,
  options: import('../realm-parts').BootOptions,
): import('../realm-parts').Booted {
  const { defineProperty, create, freeze, getOwnPropertyDescriptor } = Object;
  const { apply, ownKeys, deleteProperty } = Reflect;
  const global = globalThis as unknown as Record<PropertyKey, any>;
  const Bytes = Uint8Array;
  const { subarray } = Uint8Array.prototype;

  /** B1 */
  function guarded<F extends (...args: any[]) => any>(fn: F): F {
    return ((...args: unknown[]) => {
      try {
        return apply(fn, undefined, args);
      } catch {
        throw new RangeError('the host of this workflow could not serve a call (the stack may be exhausted)');
      }
    }) as F;
  }

  // ---- P1, P2 of the policy: names go before anything is built on them
  const known = new Set(options.known);
  for (const key of ownKeys(global)) {
    if (typeof key === 'string' && known.has(key)) continue;
    deleteProperty(global, key);
  }
  for (const name of options.removed) deleteProperty(global, name);
  deleteProperty(global, 'console'); // V8's own; the runtime brings the run's

  // ---- what the runtime fills in: it is evaluated after its surroundings exist
  let hooks: import('../realm-parts').RuntimeHooks | undefined;
  const outside = (what: string) => new TypeError(`${what} is only available while a workflow runs`);
  let makeRefusal: ((message: string) => unknown) | undefined;

  const RealError = parts.tameErrors({
    bundleFile: options.bundleFile,
    mapPosition: guarded(host.mapPosition),
  });
  const RealDate = parts.makeDeterministic({
    now: () => (hooks === undefined ? 0 : hooks.now()),
    random: () => {
      if (hooks === undefined) throw outside('Math.random');
      return hooks.random();
    },
    refusal: (message) => (makeRefusal === undefined ? new TypeError(message) : makeRefusal(message)),
  });
  const text = parts.makeTextCodecs({ encodeInto: guarded(host.encodeInto), decode: guarded(host.decode) });
  const encoder = new text.TextEncoder();
  const decoder = new text.TextDecoder();
  const url = parts.makeUrl({
    encode: (value) => encoder.encode(value),
    decode: (bytes, length) => decoder.decode(apply(subarray, bytes, [0, length])),
    parse: guarded(host.parseUrl),
    change: guarded(host.changeUrl),
  });
  const abort = parts.makeAbort({
    setTimeout(callback, delayMs) {
      global.setTimeout(callback, delayMs);
    },
  });
  const nodeModules = parts.makeAssert(text);
  function addGlobal(name: string, value: unknown): void {
    defineProperty(global, name, { value, writable: true, configurable: true, enumerable: false });
  }
  for (const group of [text, url, abort] as object[]) {
    for (const name of ownKeys(group) as string[]) addGlobal(name, (group as any)[name]);
  }

  const hardener = options.freeze ? parts.makeHardener() : undefined;

  // ---- async context
  const runIn = host.runInScope;
  const currentToken = guarded(host.currentScope);
  const records = new WeakMap<object, unknown>(); // B3
  const { get: getRecord, set: setRecord } = WeakMap.prototype;
  const scopeHost = {
    /** B1: only the host's own failure becomes a new error, what `fn` throws passes through here, not there. */
    runInScope(store: unknown, fn: () => unknown) {
      let threw = false;
      let entered = false;
      let result: unknown;
      const token = freeze(create(null));
      apply(setRecord, records, [token, store]);
      try {
        runIn(token, () => {
          entered = true;
          try {
            result = fn();
          } catch (error) {
            threw = true;
            result = error;
          }
        });
      } catch {
        if (!entered) throw new RangeError('the scope could not be entered (the stack may be exhausted)');
      }
      if (threw) throw result;
      return result;
    },
    currentScope() {
      const token = currentToken();
      return token === undefined ? undefined : apply(getRecord, records, [token]);
    },
  };

  // ---- run globals
  let prototype: object | undefined;
  function buildRunPrototype(): object {
    const shared: Record<PropertyKey, any> = create(null);
    for (const key of ownKeys(global)) {
      if (key === 'globalThis' || key === 'undefined' || key === 'NaN' || key === 'Infinity') continue;
      const value = getOwnPropertyDescriptor(global, key)!.value;
      const accessor = {
        get() {
          return value;
        },
        set(this: object, next: unknown) {
          defineProperty(this, key, { value: next, writable: true, enumerable: true, configurable: true });
        },
      };
      defineProperty(shared, key, {
        get: accessor.get,
        set: accessor.set,
        enumerable: false,
        configurable: false,
      });
    }
    for (const name of ['globalThis', 'global', 'self']) {
      const accessor = {
        get(this: object) {
          return this === shared ? undefined : this;
        },
        set(this: object, next: unknown) {
          defineProperty(this, name, { value: next, writable: true, enumerable: true, configurable: true });
        },
      };
      defineProperty(shared, name, {
        get: accessor.get,
        set: accessor.set,
        enumerable: false,
        configurable: false,
      });
    }
    for (const name of ['undefined', 'NaN', 'Infinity'])
      defineProperty(shared, name, { value: global[name] });
    return freeze(Object.setPrototypeOf(shared, Object.prototype));
  }
  if (!options.freeze) {
    for (const name of ['global', 'self']) addGlobal(name, global);
  }

  const urlModule = freeze({ ...url, default: url });
  const runtimeHost = freeze({
    entropy: guarded(host.entropy),
    wallClockMs: guarded(host.wallClockMs),
    sourceText: guarded(host.sourceText),
    decidePatch: guarded(host.decidePatch),
    newGlobal: (): object => (options.freeze ? create(prototype!) : global), // B2
    runInScope: scopeHost.runInScope,
    currentScope: scopeHost.currentScope,
    harden: (value: object): void => hardener?.hardenModule(value),
    hostModules: freeze({
      assert: nodeModules.assert,
      'node:assert': nodeModules.assert,
      url: urlModule,
      'node:url': urlModule,
      util: nodeModules.util,
      'node:util': nodeModules.util,
    }),
  });

  /** @param makeRuntime value of the runtime's script */
  function install(makeRuntime: (host: any) => import('@perdure/workflow/runtime').RuntimeParts): object {
    const { api, modules, globals } = makeRuntime(runtimeHost);
    hooks = { now: globals.now, random: globals.random };
    makeRefusal = globals.determinismViolation;
    for (const name of ['setTimeout', 'clearTimeout', 'console']) addGlobal(name, (globals as any)[name]);
    if (hardener === undefined) {
      // A patched Error could not be told from one that wants to see call sites.
      defineProperty(global, 'Error', { writable: false, configurable: false });
      return api;
    }
    prototype = buildRunPrototype();
    hardener.hardenIntrinsics(ownKeys(global) as string[], [RealError, RealDate]);
    hardener.hardenModule(prototype);
    hardener.hardenModule(runtimeHost);
    hardener.hardenModule(modules);
    for (const name of ownKeys(globals)) {
      const value = (globals as any)[name];
      if (typeof value === 'function' || (typeof value === 'object' && value !== null))
        hardener.hardenModule(value);
    }
    hardener.sealGlobal();
    return api;
  }

  return {
    install,
    makeBytes: (length) => new Bytes(length),
    promisePrototype: Promise.prototype,
    frozenCount: () => hardener?.frozenCount() ?? 0,
  };
});
