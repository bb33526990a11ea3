/** What the realm brings of its own: URL, text codecs, AbortController, assert, util, against those of Node.js. */
import * as fc from 'fast-check';
import { BareRealm } from './testing/bare-realm';

const bare = new BareRealm();
const value = (body: string) => {
  const outcome = bare.run(body);
  if ('threw' in outcome) throw new Error(`${outcome.threw}: ${outcome.message}`);
  return outcome.value;
};

describe('URL', () => {
  const parts =
    '["href","protocol","username","password","host","hostname","port","pathname","search","hash","origin"]';
  const urls = [
    'https://user:pw@example.com:8443/a/b/../c?x=1&y=%20z#frag',
    'HTTP://EXAMPLE.com:80/%7Efoo',
    'file:///C:/x',
    'https://münchen.example/ä?ö#ü',
    'data:text/plain,hello',
    'http://[::1]:3000/',
  ];
  it.each(urls)('has the parts of Node.js: %s', (url) => {
    const ours = value(
      `const url = new URL(${JSON.stringify(url)}); return ${parts}.map((part) => url[part]);`,
    );
    const theirs = new URL(url);
    expect(ours).toEqual((JSON.parse(parts) as (keyof URL)[]).map((part) => theirs[part]));
  });

  it('resolves against a base and can be changed', () => {
    expect(
      value(`const url = new URL('../x?y=1', 'https://e.com/a/b/c'); url.hash = 'h'; url.port = '99'; url.searchParams.set('z', 'ä'); url.pathname = '/p q';
             return [url.href, String(url), JSON.stringify(url), url.searchParams.get('y')];`),
    ).toEqual([
      'https://e.com:99/p%20q?y=1&z=%C3%A4#h',
      'https://e.com:99/p%20q?y=1&z=%C3%A4#h',
      '"https://e.com:99/p%20q?y=1&z=%C3%A4#h"',
      '1',
    ]);
  });

  it('keeps params and query in step both ways', () => {
    expect(
      value(`const url = new URL('http://a/?b=1'); const params = url.searchParams; params.append('c', '2'); url.search = '?d=3';
             const seen = [url.href, params.get('b'), params.get('d')]; params.delete('d'); return [...seen, url.href, url.searchParams === params];`),
    ).toEqual(['http://a/?d=3', null, '3', 'http://a/', true]);
  });

  it('refuses nonsense with the code of Node.js', () => {
    expect(
      value(
        `try { new URL('nonsense'); } catch (e) { return [e instanceof TypeError, e.code, URL.canParse('nonsense'), URL.canParse('a:b'), URL.parse('nonsense')]; }`,
      ),
    ).toEqual([true, 'ERR_INVALID_URL', false, true, null]);
  });

  it('reads and writes forms as Node.js does, whatever the text', () => {
    const run = bare.raw(
      '(pairs) => { const params = new URLSearchParams(JSON.parse(pairs)); const text = params.toString(); return JSON.stringify([text, [...new URLSearchParams(text)]]); }',
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }))),
        (pairs) => {
          const theirs = new URLSearchParams(pairs);
          const text = theirs.toString();
          expect(JSON.parse(run(JSON.stringify(pairs)))).toEqual([text, [...new URLSearchParams(text)]]);
        },
      ),
    );
    // ASCII only: next to broken escapes Node.js reads other letters as bytes, against the standard.
    const parse = bare.raw('(text) => JSON.stringify([...new URLSearchParams(text)])');
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '%', '2', '0', 'F', '&', '=', '+', '?') }),
        (text) => {
          expect(JSON.parse(parse(text))).toEqual([...new URLSearchParams(text)]);
        },
      ),
    );
  });

  it('has the rest of URLSearchParams', () => {
    expect(
      value(`const p = new URLSearchParams({ b: '2', a: '1' }); p.append('b', '3'); p.sort(); const each = []; p.forEach((v, k) => each.push(k + v));
             return [String(p), p.getAll('b'), p.has('a'), p.has('b', '9'), p.size, [...p.keys()], [...p.values()], each, (p.set('b', '4'), String(p)), (p.delete('b'), String(p))];`),
    ).toEqual([
      'a=1&b=2&b=3',
      ['2', '3'],
      true,
      false,
      3,
      ['a', 'b', 'b'],
      ['1', '2', '3'],
      ['a1', 'b2', 'b3'],
      'a=1&b=4',
      'a=1',
    ]);
  });
});

describe('text codecs', () => {
  const encode = bare.raw('(text) => new TextEncoder().encode(text)');
  const decode = bare.raw(
    '(bytes, fatal, ignoreBOM) => { try { return new TextDecoder("utf-8", { fatal, ignoreBOM }).decode(Uint8Array.from(bytes)); } catch (e) { return e.name; } }',
  );

  it('encode as Node.js does, lone surrogates included', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.constant('\ud800x'),
          fc.constant('a'.repeat(100)),
        ),
        (text) => {
          expect([...encode(text)]).toEqual([...new TextEncoder().encode(text)]);
        },
      ),
    );
  });

  it('decode as Node.js does, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.boolean(),
        fc.boolean(),
        (bytes, fatal, ignoreBOM) => {
          let theirs: string;
          try {
            theirs = new TextDecoder('utf-8', { fatal, ignoreBOM }).decode(bytes);
          } catch (error) {
            theirs = (error as Error).name;
          }
          expect(decode([...bytes], fatal, ignoreBOM)).toBe(theirs);
        },
      ),
    );
  });

  it('decode a stream cut anywhere', () => {
    const stream = bare.raw(
      `(chunks) => { const decoder = new TextDecoder(); return chunks.map((chunk) => decoder.decode(Uint8Array.from(chunk), { stream: true })).join('') + decoder.decode(); }`,
    );
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        (text, size) => {
          const bytes = [...new TextEncoder().encode(text)];
          const chunks: number[][] = [];
          for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
          expect(stream(chunks)).toBe(text);
        },
      ),
    );
  });

  it('encode into a given array and say how far they came', () => {
    const into = bare.raw(
      '(text, room) => { const bytes = new Uint8Array(room); const { read, written } = new TextEncoder().encodeInto(text, bytes); return [read, written, ...bytes]; }',
    );
    for (const text of ['abc', 'äöü', '€uro', '😀!', '']) {
      for (const room of [0, 1, 2, 3, 5, 20]) {
        const bytes = new Uint8Array(room);
        const { read, written } = new TextEncoder().encodeInto(text, bytes);
        expect([...into(text, room)]).toEqual([read, written, ...bytes]);
      }
    }
  });

  it('know utf-8 only', () => {
    expect(value('try { new TextDecoder("latin1"); } catch (e) { return e.name; }')).toBe('RangeError');
    expect(value('return new TextDecoder(" UTF8 ").encoding;')).toBe('utf-8');
  });
});

describe('AbortController', () => {
  it('tells its listeners once, in order', () => {
    expect(
      value(`const c = new AbortController(); const seen = []; c.signal.onabort = (e) => seen.push('on ' + e.type); c.signal.addEventListener('abort', { handleEvent() { seen.push('object'); } });
             const gone = () => seen.push('gone'); c.signal.addEventListener('abort', gone); c.signal.removeEventListener('abort', gone); c.abort('why'); c.abort('again');
             return [seen, c.signal.aborted, c.signal.reason];`),
    ).toEqual([['on abort', 'object'], true, 'why']);
  });

  it('has reasons like those of Node.js', () => {
    expect(
      value(
        'const c = new AbortController(); c.abort(); try { c.signal.throwIfAborted(); } catch (e) { return [e.name, e.code, e instanceof Error]; }',
      ),
    ).toEqual(['AbortError', 20, true]);
    expect(
      value(
        'return [AbortSignal.abort(5).reason, AbortSignal.any([new AbortController().signal, AbortSignal.abort(7)]).reason];',
      ),
    ).toEqual([5, 7]);
    expect(
      value('const s = AbortSignal.timeout(10); await null; await null; return [s.aborted, s.reason.name];'),
    ).toEqual([true, 'TimeoutError']);
    expect(value('try { new AbortSignal(); } catch (e) { return e.name; }')).toBe('TypeError');
  });
});

describe('assert', () => {
  it.each([
    ['assert(0)', 'AssertionError'],
    ['assert.ok(true)', undefined],
    ['assert.equal(1, "1")', undefined],
    ['assert.strict.equal(1, "1")', 'AssertionError'],
    ['assert.strictEqual(NaN, NaN)', undefined],
    ['assert.notStrictEqual(1, 1)', 'AssertionError'],
    [
      'assert.deepStrictEqual({ a: [1, new Map([[1, new Set([2])]])] }, { a: [1, new Map([[1, new Set([2])]])] })',
      undefined,
    ],
    ['assert.deepStrictEqual({ a: 1 }, { a: 1, b: undefined })', 'AssertionError'],
    ['assert.deepStrictEqual([1], ["1"])', 'AssertionError'],
    ['assert.deepEqual([1], ["1"])', undefined],
    ['assert.deepStrictEqual(new Date(1), new Date(2))', 'AssertionError'],
    ['assert.deepStrictEqual(new Uint8Array([1, 2]), new Uint8Array([1, 2]))', undefined],
    ['const a = {}; a.a = a; const b = {}; b.a = b; assert.deepStrictEqual(a, b)', undefined],
    ['assert.throws(() => { throw new TypeError("x"); }, TypeError)', undefined],
    ['assert.throws(() => { throw new TypeError("x"); }, /zz/)', 'AssertionError'],
    ['assert.throws(() => { throw new TypeError("x"); }, { name: "TypeError", message: /x/ })', undefined],
    ['assert.throws(() => {})', 'AssertionError'],
    ['assert.doesNotThrow(() => { throw 1; })', 'AssertionError'],
    ['await assert.rejects(Promise.reject(new Error("x")), /x/)', undefined],
    ['await assert.rejects(async () => {})', 'AssertionError'],
    ['await assert.doesNotReject(async () => {})', undefined],
    ['assert.match("abc", /b/)', undefined],
    ['assert.doesNotMatch("abc", /b/)', 'AssertionError'],
    ['assert.ifError(null)', undefined],
    ['assert.ifError(1)', 'AssertionError'],
    ['assert.fail()', 'AssertionError'],
    ['assert.ok(false, new RangeError("mine"))', 'RangeError'],
  ])('%s', (code, threw) => {
    const outcome = bare.run(`const assert = host('assert'); ${code};`);
    expect('threw' in outcome ? outcome.threw : undefined).toBe(threw);
  });

  it('gives errors with what was compared', () => {
    expect(
      value(
        `try { host('assert').strictEqual(1, 2); } catch (e) { return [e.code, e.actual, e.expected, e.operator, e.generatedMessage, e instanceof host('assert').AssertionError]; }`,
      ),
    ).toEqual(['ERR_ASSERTION', 1, 2, 'strictEqual', true, true]);
  });
});

describe('util', () => {
  it.each([
    [
      'util.format("%s is %d of %i, %j %o %%", "a", 1.5, 2.7, { a: 1 }, [1])',
      'a is 1.5 of 2, {"a":1} [ 1 ] %',
    ],
    ['util.format("a", { b: 1 }, "c")', 'a { b: 1 } c'],
    [
      'util.inspect({ a: { b: { c: { d: 1 } } }, f() {} })',
      '{ a: { b: { c: [Object] } }, f: [Function: f] }',
    ],
    [
      'util.inspect([1, "x", null, undefined, 5n, Symbol("s")])',
      "[ 1, 'x', null, undefined, 5n, Symbol(s) ]",
    ],
    ['util.inspect(new Map([[1, new Set([2])]]))', 'Map(1) { 1 => Set(1) { 2 } }'],
    ['(() => { const a = {}; a.me = a; return util.inspect(a); })()', '{ me: [Circular *] }'],
    ['util.inspect(new Proxy({}, { ownKeys() { throw 1; } }))', '[value that cannot be inspected]'],
    ['String(util.isDeepStrictEqual({ a: 1 }, { a: 1 }))', 'true'],
  ])('%s', (expression, expected) => {
    expect(value(`const util = host('util'); return ${expression};`)).toBe(expected);
  });

  it('and url are the modules that the realm offers', () => {
    expect(
      value(
        `return [host('url').URL === URL, host('util').TextEncoder === TextEncoder, Object.isFrozen(host('assert'))];`,
      ),
    ).toEqual([true, true, true]);
  });
});
