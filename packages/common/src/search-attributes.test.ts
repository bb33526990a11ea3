import {
  defineSearchAttributeKey,
  type SearchAttributePair,
  SearchAttributeType,
  TypedSearchAttributes,
  ValueError,
} from '@perdure/common';
import {
  decodeSearchAttributes,
  decodeTypedSearchAttributes,
  encodeUnifiedSearchAttributes,
} from '@perdure/common/lib/converter/payload-search-attributes';
import { decode } from '@perdure/common/lib/encoding';
import * as fc from 'fast-check';

const valueOfType: Record<SearchAttributeType, fc.Arbitrary<any>> = {
  TEXT: fc.string(),
  KEYWORD: fc.string(),
  INT: fc.integer(),
  DOUBLE: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  BOOL: fc.boolean(),
  DATETIME: fc.date({ noInvalidDate: true }),
  KEYWORD_LIST: fc.array(fc.string()),
};

const pair: fc.Arbitrary<SearchAttributePair> = fc
  .constantFrom(...Object.values(SearchAttributeType))
  .chain((type) =>
    fc.record({ key: fc.record({ name: fc.string(), type: fc.constant(type) }), value: valueOfType[type] }),
  ) as any;

const pairs = fc.uniqueArray(pair, { selector: ({ key }) => key.name });

describe('typed search attributes', () => {
  it('come back from their payloads', () => {
    fc.assert(
      fc.property(pairs, (all) => {
        const payloads = encodeUnifiedSearchAttributes(undefined, new TypedSearchAttributes(all));
        const back = decodeTypedSearchAttributes(payloads).getAll();
        expect(back.map(({ key, value }) => [key.name, key.type, value])).toEqual(
          expect.arrayContaining(all.map(({ key, value }) => [key.name, key.type, value])),
        );
        expect(back.length).toBe(all.length);
      }),
    );
  });

  it('name their type in the metadata, except when they remove', () => {
    const key = defineSearchAttributeKey('Tags', SearchAttributeType.KEYWORD_LIST);
    const payloads = encodeUnifiedSearchAttributes(undefined, [{ key, value: ['a'] }]);
    expect(decode(payloads.Tags!.metadata!.type!)).toBe('KeywordList');
    const removal = encodeUnifiedSearchAttributes(undefined, [{ key, value: null } as any]);
    expect(removal.Tags!.metadata!.type).toBeUndefined();
    expect(decode(removal.Tags!.data!)).toBe('null');
    expect(decodeTypedSearchAttributes(removal).getAll()).toEqual([]);
  });

  it('refuse duplicate keys and values of another type', () => {
    const int = defineSearchAttributeKey('N', 'INT');
    expect(
      () =>
        new TypedSearchAttributes([
          { key: int, value: 1 },
          { key: int, value: 2 },
        ]),
    ).toThrow(/Duplicate.*N/);
    for (const [type, value] of [
      ['INT', 1.5],
      ['BOOL', 'true'],
      ['DATETIME', '2026'],
      ['DATETIME', new Date(Number.NaN)],
      ['KEYWORD_LIST', [1]],
      ['TEXT', null],
      ['NONE', 1],
    ]) {
      const wrong: any = { key: { name: 'X', type }, value };
      expect(() => new TypedSearchAttributes([wrong])).toThrow(ValueError);
    }
  });

  it('are not changed through what was put in or taken out', () => {
    const key = defineSearchAttributeKey('L', 'KEYWORD_LIST');
    const list = ['a'];
    const attributes = new TypedSearchAttributes([{ key, value: list }]);
    list.push('b');
    attributes.get(key)!.push('c');
    attributes.getAll()[0]!.key.name = 'other';
    expect(attributes.get(key)).toEqual(['a']);
  });

  it('are updated in a copy; null removes', () => {
    const a = defineSearchAttributeKey('A', 'INT');
    const b = defineSearchAttributeKey('B', 'TEXT');
    const before = new TypedSearchAttributes([{ key: a, value: 1 }]);
    const after = before.updateCopy([
      { key: a, value: null },
      { key: b, value: 'x' },
    ]);
    expect([before.get(a), before.get(b), after.get(a), after.get(b)]).toEqual([
      1,
      undefined,
      undefined,
      'x',
    ]);
    expect(after.get(defineSearchAttributeKey('B', 'INT'))).toBeUndefined();
  });

  it('take their key from untyped values', () => {
    const type = (value: any) => TypedSearchAttributes.getKeyFromUntyped('K', value)?.type;
    expect([type(['x']), type(['x', 'y']), type([1]), type([1.5]), type([true]), type([new Date()])]).toEqual(
      ['TEXT', 'KEYWORD_LIST', 'INT', 'DOUBLE', 'BOOL', 'DATETIME'],
    );
    expect([type([]), type([1, 2]), type(undefined)]).toEqual([undefined, undefined, undefined]);
  });

  it('know their types by both names that servers use', () => {
    for (const type of Object.values(SearchAttributeType)) {
      expect(TypedSearchAttributes.toSearchAttributeType(TypedSearchAttributes.toMetadataType(type))).toBe(
        type,
      );
      expect(TypedSearchAttributes.toSearchAttributeType(`INDEXED_VALUE_TYPE_${type}`)).toBe(type);
    }
    expect(TypedSearchAttributes.toSearchAttributeType('toString')).toBeUndefined();
  });
});

describe('untyped search attributes', () => {
  it('come back from their payloads; empty lists remove', () => {
    const attributes = { text: ['a', 'b'], number: [1.5], flag: [true], gone: [], unset: undefined };
    const payloads = encodeUnifiedSearchAttributes(attributes);
    expect(Object.keys(payloads)).toEqual(['text', 'number', 'flag', 'gone']);
    expect(decodeSearchAttributes(payloads)).toEqual({ text: ['a', 'b'], number: [1.5], flag: [true] });
  });

  it('are read from typed payloads too', () => {
    const date = new Date('2026-11-21T10:30:09.123Z');
    const payloads = encodeUnifiedSearchAttributes({ other: ['x'] }, [
      { key: defineSearchAttributeKey('When', 'DATETIME'), value: date },
    ]);
    expect(decodeSearchAttributes(payloads)).toEqual({ other: ['x'], When: [date] });
  });

  it('refuse what is no list of one type', () => {
    for (const value of ['text', [1, 'x'], [{}], [null]]) {
      expect(() => encodeUnifiedSearchAttributes({ a: value as any })).toThrow(ValueError);
    }
  });
});
