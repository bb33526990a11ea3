/**
 * Functions that compiled code calls for what the oldest Node.js cannot do itself: decorators and `using`.
 *
 * H1  Names and parameters are those the transformer emits; the meaning is TypeScript's.
 */

/** Modules of helper functions, as compiled code imports them. */
export const HELPER_PREFIX = '@oxc-project/runtime/helpers/';

/** Source of the helper module of this name. */
export function helperSourceOrThrow(name: string): string {
  const source = SOURCES[name];
  if (source === undefined) throw new Error(`compiled code asks for a helper that does not exist: ${name}`);
  return source;
}

const SOURCES: Record<string, string> = {
  decorate: `
export default function decorate(decorators, target, key, descriptor) {
  const forMember = arguments.length > 2;
  let result = !forMember ? target
    : descriptor === null ? Object.getOwnPropertyDescriptor(target, key)
    : descriptor;
  if (typeof Reflect.decorate === 'function') {
    result = forMember ? Reflect.decorate(decorators, target, key, descriptor) : Reflect.decorate(decorators, target);
  } else {
    for (let i = decorators.length - 1; i >= 0; i--) {
      const decorator = decorators[i];
      if (!decorator) continue;
      const replaced = !forMember ? decorator(result)
        : descriptor === undefined ? decorator(target, key)
        : decorator(target, key, result);
      if (replaced) result = replaced;
    }
  }
  if (forMember && result) Object.defineProperty(target, key, result);
  return result;
}
`,
  decorateMetadata: `
export default function decorateMetadata(key, value) {
  if (typeof Reflect.metadata === 'function') return Reflect.metadata(key, value);
}
`,
  decorateParam: `
export default function decorateParam(index, decorator) {
  return (target, key) => decorator(target, key, index);
}
`,
  usingCtx: `
class Suppressed extends Error {
  constructor(error, suppressed) {
    super('An error was suppressed during disposal.');
    this.name = 'SuppressedError';
    this.error = error;
    this.suppressed = suppressed;
  }
}
const syncKey = Symbol.dispose ?? Symbol.for('Symbol.dispose');
const asyncKey = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');
export default function usingCtx() {
  const none = {};
  const resources = [];
  const add = (isAsync, value) => {
    if (value === null || value === undefined) {
      if (isAsync) resources.push({ isAsync });
      return value;
    }
    if (Object(value) !== value) throw new TypeError('using declarations take objects, functions, null or undefined');
    let dispose = isAsync ? value[asyncKey] : undefined;
    let wrapped = dispose;
    if (dispose === undefined || dispose === null) {
      dispose = value[syncKey];
      // What a synchronous disposer returns is not awaited.
      wrapped = isAsync && typeof dispose === 'function' ? function () { dispose.call(this); } : dispose;
    }
    if (typeof dispose !== 'function') throw new TypeError('the value of a using declaration has no dispose method');
    resources.push({ value, dispose: wrapped, isAsync });
    return value;
  };
  const context = {
    e: none,
    u: (value) => add(false, value),
    a: (value) => add(true, value),
    d() {
      let failure = context.e;
      let mustWait = false;
      const fail = (error) => { failure = failure === none ? error : new Suppressed(error, failure); };
      const step = () => {
        while (resources.length > 0) {
          const { value, dispose, isAsync } = resources.pop();
          if (!isAsync && mustWait) {
            resources.push({ value, dispose, isAsync });
            mustWait = false;
            return Promise.resolve().then(step);
          }
          try {
            if (dispose === undefined) { mustWait = true; continue; }
            const result = dispose.call(value);
            if (isAsync) {
              mustWait = false;
              return Promise.resolve(result).then(step, (error) => { fail(error); return step(); });
            }
          } catch (error) {
            fail(error);
          }
        }
        if (mustWait) {
          mustWait = false;
          return Promise.resolve().then(step);
        }
        if (failure !== none) throw failure;
      };
      return step();
    },
  };
  return context;
}
`,
};
