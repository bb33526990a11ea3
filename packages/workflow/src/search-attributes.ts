/**
 * Search attributes and memo: what can be seen of a workflow from outside.
 *
 * S1  Search attributes never pass the user's converter: the server reads them.
 * S2  What was upserted can be read from workflowInfo() at once.
 * S3  An upsert of nothing is no command: servers refuse the task of a command without fields, so that no history has
 *     one.
 */
import {
  type Payload,
  type SearchAttributePair,
  type SearchAttributes,
  type SearchAttributeUpdatePair,
  type SerializationContext,
  TypedSearchAttributes,
  ValueError,
} from '@perdure/common';
import {
  decodeTypedSearchAttributes,
  encodeUnifiedSearchAttributes,
} from '@perdure/common/lib/converter/payload-search-attributes';
import { encode as utf8Encode } from '@perdure/common/lib/encoding';
import type { SearchAttributes as ProtoSearchAttributes } from '@perdure/proto/temporal/api/common/v1/message';
import { emit } from './commands';
import { changeInfo, currentMemo, currentSearchAttributes } from './info';
import { toPayload, workflowContext } from './payloads';
import { type Run, requireWritableRun } from './runtime/run';

/**
 * Adds, replaces or (typed pairs with null; untyped with undefined or an empty array) removes search attributes. An
 * empty record or list changes nothing.
 */
export function upsertSearchAttributes(
  searchAttributes: SearchAttributes | SearchAttributeUpdatePair[],
): void {
  const run = requireWritableRun('upsertSearchAttributes()');
  if (searchAttributes === null || typeof searchAttributes !== 'object') {
    throw new ValueError('upsertSearchAttributes() takes typed pairs or a record of attributes');
  }
  const indexedFields = Array.isArray(searchAttributes)
    ? encodeUnifiedSearchAttributes(undefined, searchAttributes)
    : encodeUnifiedSearchAttributes(withRemovals(searchAttributes));
  if (Object.keys(indexedFields).length === 0) return; // S3
  emit(run, { upsertWorkflowSearchAttributes: { searchAttributes: { indexedFields } } });
  const before = currentSearchAttributes(run);
  const known = Array.isArray(searchAttributes)
    ? indexedFields
    : withTypes(searchAttributes, indexedFields, decodeTypedSearchAttributes(before));
  run.init.searchAttributes = { indexedFields: { ...before, ...known } };
  changeInfo(run); // S2
}

/** Undefined removes, as an empty list does; only the list can be sent. */
function withRemovals(given: SearchAttributes): SearchAttributes {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value ?? []]));
}

/**
 * What the run remembers of untyped attributes: with the type that each has, or else looks to have. An attribute that
 * looks like none is left as it was.
 */
function withTypes(
  given: SearchAttributes,
  payloads: Record<string, Payload>,
  before: TypedSearchAttributes,
): Record<string, Payload> {
  const all: Record<string, Payload> = {};
  for (const [name, payload] of Object.entries(payloads)) {
    const value = given[name];
    if (value === undefined || value === null || value.length === 0) {
      all[name] = payload;
      continue;
    }
    const looksLike = TypedSearchAttributes.getKeyFromUntyped(name, value);
    if (looksLike === undefined) continue;
    const had = before.getAll().find(({ key }) => key.name === name)?.key.type;
    const type = (looksLike.type === 'TEXT' && had) || looksLike.type;
    const metadata = { ...payload.metadata, type: utf8Encode(TypedSearchAttributes.toMetadataType(type)) };
    all[name] = { ...payload, metadata };
  }
  return all;
}

/** Merges into the memo, key by key; null or undefined removes a key. An empty record changes nothing. */
export function upsertMemo(memo: Record<string, unknown>): void {
  const run = requireWritableRun('upsertMemo()');
  if (memo === null || typeof memo !== 'object') throw new ValueError('upsertMemo() takes a record');
  const context = workflowContext(run);
  const fields: Record<string, Payload> = {};
  const merged: Record<string, unknown> = { ...currentMemo(run) };
  for (const [key, value] of Object.entries(memo)) {
    // A removed key is a payload that says so: one that no value has.
    fields[key] = toPayload(run, value ?? undefined, context);
    if (value === null || value === undefined) delete merged[key];
    else merged[key] = value;
  }
  if (Object.keys(fields).length === 0) return; // S3
  emit(run, { modifyWorkflowProperties: { upsertedMemo: { fields } } });
  run.memo = merged;
  changeInfo(run); // S2
}

export function encodeMemo(
  run: Run,
  memo: Record<string, unknown>,
  context: SerializationContext | undefined,
): Record<string, Payload> {
  return Object.fromEntries(
    Object.entries(memo).map(([key, value]) => [key, toPayload(run, value, context)]),
  );
}

/** Undefined if none are given: then the default of the command holds. */
export function encodeSearchAttributes(
  untyped: SearchAttributes | undefined,
  typed: SearchAttributePair[] | TypedSearchAttributes | undefined,
): ProtoSearchAttributes | undefined {
  if (untyped === undefined && typed === undefined) return undefined;
  return { indexedFields: encodeUnifiedSearchAttributes(untyped, typed) };
}
