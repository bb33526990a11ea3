/**
 * Evaluated in a realm: URL and URLSearchParams.
 *
 * U1  The host parses; what crosses is the text of the URL in, its parts joined into one text out.
 * U2  `href` is the whole state of a URL; `searchParams` writes through to it.
 */
(function makeUrl(host: import('../realm-parts').UrlHost): import('../realm-parts').UrlTypes {
  const { apply } = Reflect;
  const { defineProperty } = Object;
  const { split, indexOf, slice, replace, charCodeAt } = String.prototype;
  const { push, splice, sort } = Array.prototype;
  const { fromCharCode } = String;
  const { encode, decode, parse, change } = host;
  const parts = [
    'href',
    'protocol',
    'username',
    'password',
    'host',
    'hostname',
    'port',
    'pathname',
    'search',
    'hash',
    'origin',
  ];

  function textOf(value: unknown): string {
    return `${value as string}`;
  }
  /** application/x-www-form-urlencoded, one name or value. */
  function unescapeForm(text: string): string {
    const spaced = apply(replace, text, [/\+/g, ' ']) as string;
    if (apply(indexOf, spaced, ['%']) < 0) return spaced;
    const bytes = encode(spaced);
    const out = new Uint8Array(bytes.length);
    let length = 0;
    for (let i = 0; i < bytes.length; i++) {
      const high = bytes[i] === 37 ? hex(bytes[i + 1]) : -1;
      const low = high >= 0 ? hex(bytes[i + 2]) : -1;
      if (low >= 0) {
        out[length++] = high * 16 + low;
        i += 2;
      } else out[length++] = bytes[i]!;
    }
    return decode(out, length);
  }
  function hex(unit: number | undefined): number {
    if (unit === undefined) return -1;
    if (unit >= 48 && unit <= 57) return unit - 48;
    if (unit >= 65 && unit <= 70) return unit - 55;
    if (unit >= 97 && unit <= 102) return unit - 87;
    return -1;
  }
  const digits = '0123456789ABCDEF';
  function escapeForm(text: string): string {
    const bytes = encode(text);
    let out = '';
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      const plain =
        (byte >= 48 && byte <= 57) ||
        (byte >= 65 && byte <= 90) ||
        (byte >= 97 && byte <= 122) ||
        byte === 42 ||
        byte === 45 ||
        byte === 46 ||
        byte === 95;
      if (plain) out += fromCharCode(byte);
      else if (byte === 32) out += '+';
      else out += `%${digits[byte >> 4]}${digits[byte & 15]}`;
    }
    return out;
  }
  function parseForm(text: string): [string, string][] {
    const pairs: [string, string][] = [];
    for (const piece of apply(split, text, ['&']) as string[]) {
      if (piece === '') continue;
      const at = apply(indexOf, piece, ['=']) as number;
      const name = at < 0 ? piece : (apply(slice, piece, [0, at]) as string);
      const value = at < 0 ? '' : (apply(slice, piece, [at + 1]) as string);
      apply(push, pairs, [[unescapeForm(name), unescapeForm(value)]]);
    }
    return pairs;
  }

  /** U2: set while URL makes the params of its own query. */
  let owner: ((query: string) => void) | undefined;
  /** URL's way to reload params after its query changed. */
  let reload: (params: URLSearchParams, query: string) => void;

  class URLSearchParams {
    #pairs: [string, string][];
    readonly #changed: ((query: string) => void) | undefined;
    static {
      reload = (params, query) => {
        params.#pairs = parseForm(query);
      };
    }
    constructor(init?: unknown) {
      this.#changed = owner;
      this.#pairs = [];
      if (init === undefined || init === null) return;
      if (typeof init !== 'object' && typeof init !== 'function') {
        const text = textOf(init);
        this.#pairs = parseForm(text[0] === '?' ? (apply(slice, text, [1]) as string) : text);
      } else if (typeof (init as any)[Symbol.iterator] === 'function') {
        for (const pair of init as Iterable<Iterable<unknown>>) {
          const [name, value, ...rest] = pair;
          if (value === undefined || rest.length > 0) {
            throw new TypeError('Each query pair must be an iterable [name, value] tuple');
          }
          apply(push, this.#pairs, [[textOf(name), textOf(value)]]);
        }
      } else {
        for (const key of Reflect.ownKeys(init)) {
          if (typeof key === 'string' && Object.getOwnPropertyDescriptor(init, key)?.enumerable) {
            apply(push, this.#pairs, [[key, textOf((init as any)[key])]]);
          }
        }
      }
    }
    #update(): void {
      this.#changed?.(this.toString());
    }
    get size() {
      return this.#pairs.length;
    }
    append(name: unknown, value: unknown) {
      apply(push, this.#pairs, [[textOf(name), textOf(value)]]);
      this.#update();
    }
    delete(name: unknown, value?: unknown) {
      const key = textOf(name);
      const text = value === undefined ? undefined : textOf(value);
      for (let i = this.#pairs.length - 1; i >= 0; i--) {
        const pair = this.#pairs[i]!;
        if (pair[0] === key && (text === undefined || pair[1] === text)) apply(splice, this.#pairs, [i, 1]);
      }
      this.#update();
    }
    get(name: unknown) {
      const key = textOf(name);
      for (const pair of this.#pairs) if (pair[0] === key) return pair[1];
      return null;
    }
    getAll(name: unknown) {
      const key = textOf(name);
      const found: string[] = [];
      for (const pair of this.#pairs) if (pair[0] === key) apply(push, found, [pair[1]]);
      return found;
    }
    has(name: unknown, value?: unknown) {
      const key = textOf(name);
      const text = value === undefined ? undefined : textOf(value);
      for (const pair of this.#pairs)
        if (pair[0] === key && (text === undefined || pair[1] === text)) return true;
      return false;
    }
    set(name: unknown, value: unknown) {
      const key = textOf(name);
      const text = textOf(value);
      let first = -1;
      for (let i = this.#pairs.length - 1; i >= 0; i--) {
        if (this.#pairs[i]![0] !== key) continue;
        if (first >= 0) apply(splice, this.#pairs, [first, 1]);
        first = i;
      }
      if (first < 0) apply(push, this.#pairs, [[key, text]]);
      else this.#pairs[first]![1] = text;
      this.#update();
    }
    sort() {
      apply(sort, this.#pairs, [
        (a: [string, string], b: [string, string]) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0),
      ]);
      this.#update();
    }
    forEach(callback: (value: string, name: string, params: unknown) => void, receiver?: unknown) {
      for (let i = 0; i < this.#pairs.length; i++) {
        const pair = this.#pairs[i]!;
        apply(callback, receiver, [pair[1], pair[0], this]);
      }
    }
    *entries() {
      for (let i = 0; i < this.#pairs.length; i++)
        yield [this.#pairs[i]![0], this.#pairs[i]![1]] as [string, string];
    }
    *keys() {
      for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i]![0];
    }
    *values() {
      for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i]![1];
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    toString() {
      let text = '';
      for (const pair of this.#pairs)
        text += `${text === '' ? '' : '&'}${escapeForm(pair[0])}=${escapeForm(pair[1])}`;
      return text;
    }
  }

  /** @throws TypeError with `code` ERR_INVALID_URL, as Node.js does */
  function invalid(input: string): never {
    const error: any = new TypeError('Invalid URL');
    error.code = 'ERR_INVALID_URL';
    error.input = input;
    throw error;
  }

  class URL {
    /** The parts, in the order of `parts`. */
    #parts: string[];
    #params: URLSearchParams | undefined;
    constructor(input: unknown, base?: unknown) {
      const text = textOf(input);
      const joined = parse(text, base === undefined ? undefined : textOf(base)); // U1
      if (joined === undefined) invalid(text);
      this.#parts = apply(split, joined, ['\n']) as string[];
    }
    static canParse(input: unknown, base?: unknown) {
      return parse(textOf(input), base === undefined ? undefined : textOf(base)) !== undefined;
    }
    static parse(input: unknown, base?: unknown) {
      return URL.canParse(input, base) ? new URL(input, base) : null;
    }
    static {
      for (let i = 0; i < parts.length; i++) {
        const name = parts[i]!;
        const accessor = {
          get(this: URL) {
            return this.#parts[i];
          },
          set(this: URL, value: unknown) {
            const text = textOf(value);
            const joined = change(this.#parts[0]!, name, text);
            if (joined === undefined) invalid(text);
            this.#parts = apply(split, joined, ['\n']) as string[];
            if (this.#params !== undefined)
              reload(this.#params, apply(slice, this.#parts[8]!, [1]) as string);
          },
        };
        defineProperty(URL.prototype, name, {
          get: accessor.get,
          set: name === 'origin' ? undefined : accessor.set,
          enumerable: true,
          configurable: true,
        });
      }
    }
    get searchParams() {
      if (this.#params === undefined) {
        owner = (query) => {
          const joined = change(this.#parts[0]!, 'search', query);
          if (joined !== undefined) this.#parts = apply(split, joined, ['\n']) as string[];
        };
        try {
          this.#params = new URLSearchParams(this.#parts[8]);
        } finally {
          owner = undefined;
        }
      }
      return this.#params;
    }
    toString() {
      return this.#parts[0];
    }
    toJSON() {
      return this.#parts[0];
    }
  }
  for (const type of [URL, URLSearchParams]) {
    defineProperty(type.prototype, Symbol.toStringTag, { value: type.name, configurable: true });
  }
  void charCodeAt;
  return { URL, URLSearchParams };
});
