/**
 * Search attributes as payloads. Always JSON, never encoded by codecs: the server reads them.
 *
 * A typed value carries its type in the metadata. Null and the empty list remove an attribute; null goes without a
 * type, which is how servers take it.
 */

import { utf8Decode, utf8Encode } from '@perdure/proto/lib/utf8';
import type {
  Payload,
  SearchAttributes as ProtoSearchAttributes,
} from '@perdure/proto/temporal/api/common/v1/message';
import { ValueError } from '../errors';
import {
  isValidValueForType,
  type SearchAttributePair,
  type SearchAttributes,
  SearchAttributeType,
  type SearchAttributeUpdatePair,
  type SearchAttributeValue,
  TypedSearchAttributes,
} from '../search-attributes';
import { JsonPayloadConverter, mapFromPayloads, type PayloadConverter } from './payload-converter';

const json = new JsonPayloadConverter();

/** Name of the type in the metadata of a payload. */
function metadataTypeOf(payload: Payload): string | undefined {
  const type = payload.metadata?.type;
  return type === undefined || type === null ? undefined : utf8Decode(type);
}

/** One untyped value: a list of strings, numbers, booleans or dates. */
export class SearchAttributePayloadConverter implements PayloadConverter {
  toPayload<T>(values: T): Payload {
    if (!Array.isArray(values)) throw new ValueError('SearchAttribute value must be an array');
    const kinds = new Set(
      values.map((value) => (isValidValueForType('DATETIME', value) ? 'date' : typeof value)),
    );
    if (kinds.size > 1) {
      throw new ValueError(
        `SearchAttribute array values must have one type, got ${[...kinds].join(' and ')}`,
      );
    }
    for (const kind of kinds) {
      if (kind !== 'string' && kind !== 'number' && kind !== 'boolean' && kind !== 'date') {
        throw new ValueError(
          `SearchAttribute values must be strings, numbers, booleans or dates, got ${kind}`,
        );
      }
    }
    return json.toPayload(values)!; // dates become ISO 8601
  }

  fromPayload<T>(payload: Payload): T {
    const value = json.fromPayload<unknown>(payload);
    const list = Array.isArray(value) ? value : value === null ? [] : [value];
    return (metadataTypeOf(payload) === 'Datetime' ? list.map((text) => new Date(text)) : list) as any;
  }
}

/** One typed pair; null values remove. */
export class TypedSearchAttributePayloadConverter implements PayloadConverter {
  toPayload<T>(pair: T): Payload {
    const { key, value } = pair as SearchAttributeUpdatePair;
    if (value === null) return json.toPayload(null)!;
    if (!isValidValueForType(key.type, value)) {
      throw new ValueError(`Invalid value for search attribute ${key.name}: expected ${key.type}`);
    }
    const payload = json.toPayload(value)!;
    payload.metadata!.type = utf8Encode(TypedSearchAttributes.toMetadataType(key.type));
    return payload;
  }

  /** The typed value; undefined when type and value do not fit each other. */
  fromPayload<T>(payload: Payload): T {
    const metadataType = metadataTypeOf(payload);
    const type =
      metadataType === undefined ? undefined : TypedSearchAttributes.toSearchAttributeType(metadataType);
    if (type === undefined) return undefined as any;
    let value = json.fromPayload<unknown>(payload);
    if (type !== SearchAttributeType.KEYWORD_LIST && Array.isArray(value)) {
      if (value.length !== 1) return undefined as any;
      [value] = value;
    } else if (type === SearchAttributeType.KEYWORD_LIST && typeof value === 'string') {
      value = [value];
    }
    if (type === SearchAttributeType.DATETIME && typeof value === 'string') value = new Date(value);
    return (isValidValueForType(type, value) ? value : undefined) as any;
  }
}

export const searchAttributePayloadConverter = new SearchAttributePayloadConverter();
export const typedSearchAttributePayloadConverter = new TypedSearchAttributePayloadConverter();

/** Payloads of untyped search attributes; undefined values are left out. */
export function encodeSearchAttributes(searchAttributes: SearchAttributes): Record<string, Payload> {
  return Object.fromEntries(
    Object.entries(searchAttributes)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, searchAttributePayloadConverter.toPayload(value)]),
  );
}

/** Payloads of typed search attributes, or of updates to them. */
export function encodeTypedSearchAttributes(
  attributes: TypedSearchAttributes | SearchAttributePair[] | SearchAttributeUpdatePair[],
): Record<string, Payload> {
  const pairs: SearchAttributeUpdatePair[] =
    attributes instanceof TypedSearchAttributes ? attributes.getAll() : attributes;
  return Object.fromEntries(
    pairs.map((pair) => [pair.key.name, typedSearchAttributePayloadConverter.toPayload(pair)]),
  );
}

/** Payloads of both forms; where both name an attribute, the typed one wins. */
export function encodeUnifiedSearchAttributes(
  searchAttributes?: SearchAttributes,
  typedSearchAttributes?: TypedSearchAttributes | SearchAttributePair[] | SearchAttributeUpdatePair[],
): Record<string, Payload> {
  return {
    ...(searchAttributes !== undefined && encodeSearchAttributes(searchAttributes)),
    ...(typedSearchAttributes !== undefined && encodeTypedSearchAttributes(typedSearchAttributes)),
  };
}

/** Untyped search attributes of their payloads; removed ones are left out. */
export function decodeSearchAttributes(
  indexedFields: ProtoSearchAttributes['indexedFields'] | null,
): Record<string, SearchAttributeValue> {
  if (indexedFields === undefined || indexedFields === null) return {};
  const all = mapFromPayloads<string, SearchAttributeValue>(searchAttributePayloadConverter, indexedFields)!;
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value.length > 0));
}

/** Typed search attributes of their payloads; what has no known type is left out. */
export function decodeTypedSearchAttributes(
  indexedFields: ProtoSearchAttributes['indexedFields'] | null,
): TypedSearchAttributes {
  const pairs: SearchAttributePair[] = [];
  for (const [name, payload] of Object.entries(indexedFields ?? {})) {
    const value: any = typedSearchAttributePayloadConverter.fromPayload(payload);
    if (value === undefined) continue;
    const type = TypedSearchAttributes.toSearchAttributeType(metadataTypeOf(payload)!)!;
    pairs.push({ key: { name, type }, value } as SearchAttributePair);
  }
  return new TypedSearchAttributes(pairs);
}
