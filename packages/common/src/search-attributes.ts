/**
 * Search attributes: values that the server indexes, so that executions can be found by them.
 *
 * Owns    the typed keys, pairs and collection, and what counts as a value of each type.
 * Leaves  the payloads to converter/payload-search-attributes.ts.
 */
import type { IndexedValueType } from '@perdure/proto/temporal/api/enums/v1/common';
import { makeProtoEnumConverters } from './enum-codecs';
import { ValueError } from './errors';

/** Untyped form: a list of values of one type. @deprecated use typed search attributes */
export type SearchAttributeValue = string[] | number[] | boolean[] | Date[];
/** @deprecated use typed search attributes */
export type SearchAttributeValueOrReadonly =
  | SearchAttributeValue
  | readonly string[]
  | readonly number[]
  | readonly boolean[]
  | readonly Date[]
  | undefined;
/** Untyped form. @deprecated use TypedSearchAttributes */
export type SearchAttributes = Record<string, SearchAttributeValueOrReadonly>;

/** The types that the server knows. */
export const SearchAttributeType = {
  TEXT: 'TEXT',
  KEYWORD: 'KEYWORD',
  INT: 'INT',
  DOUBLE: 'DOUBLE',
  BOOL: 'BOOL',
  DATETIME: 'DATETIME',
  KEYWORD_LIST: 'KEYWORD_LIST',
} as const;
export type SearchAttributeType = (typeof SearchAttributeType)[keyof typeof SearchAttributeType];

const indexedValueTypes = makeProtoEnumConverters<
  SearchAttributeType,
  IndexedValueType,
  'INDEXED_VALUE_TYPE_'
>({ TEXT: 1, KEYWORD: 2, INT: 3, DOUBLE: 4, BOOL: 5, DATETIME: 6, KEYWORD_LIST: 7 }, 'INDEXED_VALUE_TYPE_');
export const encodeSearchAttributeIndexedValueType = indexedValueTypes[0];
export const decodeSearchAttributeIndexedValueType = indexedValueTypes[1];

/** The JavaScript type of each. */
export interface IndexedValueTypeMapping {
  TEXT: string;
  KEYWORD: string;
  INT: number;
  DOUBLE: number;
  BOOL: boolean;
  DATETIME: Date;
  KEYWORD_LIST: string[];
}

export interface SearchAttributeKey<T extends SearchAttributeType> {
  name: string;
  type: T;
}

/** A typed key. */
export function defineSearchAttributeKey<T extends SearchAttributeType>(
  name: string,
  type: T,
): SearchAttributeKey<T> {
  return { name, type };
}

/** Key and value. */
export type SearchAttributePair = {
  [T in SearchAttributeType]: { key: SearchAttributeKey<T>; value: IndexedValueTypeMapping[T] };
}[SearchAttributeType];

/** Key and new value; null removes the attribute. */
export type SearchAttributeUpdatePair = {
  [T in SearchAttributeType]: { key: SearchAttributeKey<T>; value: IndexedValueTypeMapping[T] | null };
}[SearchAttributeType];

export type TypedSearchAttributeValue<T extends SearchAttributeType> = IndexedValueTypeMapping[T];

/** What payload metadata call the types. */
const METADATA_TYPES: Readonly<Record<SearchAttributeType, string>> = {
  TEXT: 'Text',
  KEYWORD: 'Keyword',
  INT: 'Int',
  DOUBLE: 'Double',
  BOOL: 'Bool',
  DATETIME: 'Datetime',
  KEYWORD_LIST: 'KeywordList',
};

/** A Date of whichever realm, with a time. */
function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]' && !Number.isNaN(Number(value));
}

export function isValidValueForType<T extends SearchAttributeType>(
  type: T,
  value: unknown,
): value is IndexedValueTypeMapping[T] {
  switch (type) {
    case SearchAttributeType.TEXT:
    case SearchAttributeType.KEYWORD:
      return typeof value === 'string';
    case SearchAttributeType.INT:
      return Number.isInteger(value);
    case SearchAttributeType.DOUBLE:
      return typeof value === 'number';
    case SearchAttributeType.BOOL:
      return typeof value === 'boolean';
    case SearchAttributeType.DATETIME:
      return isDate(value);
    case SearchAttributeType.KEYWORD_LIST:
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    default:
      return false;
  }
}

/** Values are copied in and out, so that a collection never changes. */
function copyOf<V>(value: V): V {
  if (Array.isArray(value)) return [...value] as V;
  if (isDate(value)) return new Date(Number(value)) as V;
  return value;
}

/** Date and time as `Date.toJSON` and the server write them. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/;

/** An immutable collection of typed search attributes. */
export class TypedSearchAttributes {
  readonly #pairs = new Map<string, SearchAttributePair>();

  /** @throws {ValueError} two pairs have one name, or a value is not of its key's type */
  constructor(initialAttributes?: SearchAttributePair[]) {
    for (const pair of initialAttributes ?? []) {
      if (this.#pairs.has(pair.key.name))
        throw new ValueError(`Duplicate search attribute key: ${pair.key.name}`);
      this.#set(pair);
    }
  }

  /** The value of a key; undefined when there is none, or one of another type. */
  get<T extends SearchAttributeType>(key: SearchAttributeKey<T>): IndexedValueTypeMapping[T] | undefined {
    const pair = this.#pairs.get(key.name);
    if (pair === undefined || pair.key.type !== key.type) return undefined;
    return copyOf(pair.value) as IndexedValueTypeMapping[T];
  }

  copy(): TypedSearchAttributes {
    return new TypedSearchAttributes(this.getAll());
  }

  /**
   * A copy with these changes; null removes.
   * @throws {ValueError} a value is not of its key's type
   */
  updateCopy(updates: SearchAttributeUpdatePair[]): TypedSearchAttributes {
    const result = this.copy();
    for (const update of updates) {
      if (update.value === null) result.#pairs.delete(update.key.name);
      else result.#set(update as SearchAttributePair);
    }
    return result;
  }

  getAll(): SearchAttributePair[] {
    return [...this.#pairs.values()].map(
      ({ key, value }) => ({ key: { ...key }, value: copyOf(value) }) as SearchAttributePair,
    );
  }

  toJSON(): SearchAttributePair[] {
    return this.getAll();
  }

  #set({ key, value }: SearchAttributePair): void {
    if (!isValidValueForType(key.type, value)) {
      throw new ValueError(`Invalid value for search attribute ${key.name}: expected ${key.type}`);
    }
    this.#pairs.set(key.name, {
      key: { name: key.name, type: key.type },
      value: copyOf(value),
    } as SearchAttributePair);
  }

  /**
   * The key of an untyped value, undefined for an empty list. Lists of several strings are KEYWORD_LIST, one string
   * is TEXT, or DATETIME if it is one of ISO 8601.
   */
  static getKeyFromUntyped(
    key: string,
    value: SearchAttributeValueOrReadonly,
  ): SearchAttributeKey<SearchAttributeType> | undefined {
    if (value === undefined || value === null || value.length === 0) return undefined;
    const [first] = value;
    if (value.length > 1) {
      return typeof first === 'string' ? { name: key, type: SearchAttributeType.KEYWORD_LIST } : undefined;
    }
    switch (typeof first) {
      case 'string':
        return {
          name: key,
          type: ISO_TIME.test(first) ? SearchAttributeType.DATETIME : SearchAttributeType.TEXT,
        };
      case 'number':
        return {
          name: key,
          type: Number.isInteger(first) ? SearchAttributeType.INT : SearchAttributeType.DOUBLE,
        };
      case 'boolean':
        return { name: key, type: SearchAttributeType.BOOL };
      default:
        return isDate(first) ? { name: key, type: SearchAttributeType.DATETIME } : undefined;
    }
  }

  /** What payload metadata call a type. */
  static toMetadataType(type: SearchAttributeType): string {
    if (!Object.hasOwn(METADATA_TYPES, type))
      throw new ValueError(`Unknown search attribute type: ${String(type)}`);
    return METADATA_TYPES[type];
  }

  /** The type that payload metadata call so; undefined for an unknown name. */
  static toSearchAttributeType(type: string): SearchAttributeType | undefined {
    for (const [ours, theirs] of Object.entries(METADATA_TYPES)) {
      // The server writes both spellings, depending on where the attribute was defined.
      if (theirs === type || `INDEXED_VALUE_TYPE_${ours}` === type) return ours as SearchAttributeType;
    }
    return undefined;
  }
}
