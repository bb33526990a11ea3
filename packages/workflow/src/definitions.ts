/** Typed names of signals, queries and updates; may be made anywhere, also outside workflows. */
import type {
  PayloadTypeInfo,
  QueryDefinition,
  QueryDefinitionOptions,
  SignalDefinition,
  SignalDefinitionOptions,
  SignalTypeInfo,
  UpdateDefinition,
  UpdateDefinitionOptions,
} from '@perdure/common';

export function defineSignal<Args extends any[] = [], Name extends string = string>(
  name: Name,
  options?: SignalDefinitionOptions,
): SignalDefinition<Args, Name> {
  return define<{ typeInfo?: SignalTypeInfo }>('signal', name, options) as unknown as SignalDefinition<
    Args,
    Name
  >;
}

export function defineQuery<Ret, Args extends any[] = [], Name extends string = string>(
  name: Name,
  options?: QueryDefinitionOptions,
): QueryDefinition<Ret, Args, Name> {
  return define<{ typeInfo?: PayloadTypeInfo }>('query', name, options) as unknown as QueryDefinition<
    Ret,
    Args,
    Name
  >;
}

export function defineUpdate<Ret, Args extends any[] = [], Name extends string = string>(
  name: Name,
  options?: UpdateDefinitionOptions,
): UpdateDefinition<Ret, Args, Name> {
  return define<{ typeInfo?: PayloadTypeInfo }>('update', name, options) as unknown as UpdateDefinition<
    Ret,
    Args,
    Name
  >;
}

function define<O extends { typeInfo?: unknown }>(
  type: string,
  name: string,
  options: O | undefined,
): object {
  return options?.typeInfo === undefined ? { type, name } : { type, name, typeInfo: options.typeInfo };
}
