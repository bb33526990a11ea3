/** Why the server suggests to continue as new. */
import type { SuggestContinueAsNewReason as ProtoReason } from '@perdure/proto/temporal/api/enums/v1/workflow';
import { makeProtoEnumConverters } from './enum-codecs';

export const SuggestContinueAsNewReason = {
  HISTORY_SIZE_TOO_LARGE: 'HISTORY_SIZE_TOO_LARGE',
  TOO_MANY_HISTORY_EVENTS: 'TOO_MANY_HISTORY_EVENTS',
  TOO_MANY_UPDATES: 'TOO_MANY_UPDATES',
} as const;
export type SuggestContinueAsNewReason =
  (typeof SuggestContinueAsNewReason)[keyof typeof SuggestContinueAsNewReason];

const reasons = makeProtoEnumConverters<
  SuggestContinueAsNewReason,
  ProtoReason,
  'SUGGEST_CONTINUE_AS_NEW_REASON_'
>(
  { HISTORY_SIZE_TOO_LARGE: 1, TOO_MANY_HISTORY_EVENTS: 2, TOO_MANY_UPDATES: 3 },
  'SUGGEST_CONTINUE_AS_NEW_REASON_',
);
export const encodeSuggestContinueAsNewReason = reasons[0];
export const decodeSuggestContinueAsNewReason = reasons[1];
