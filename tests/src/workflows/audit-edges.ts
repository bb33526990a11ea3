/** Workflows at the edges of what options and values may be. */
import { defineSearchAttributeKey, type SearchAttributeUpdatePair } from '@perdure/common';
import {
  condition,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setHandler,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@perdure/workflow';

export class Expected extends Error {}

/** Upserts of nothing, and removals. */
export async function upserts(): Promise<unknown[]> {
  const { length } = workflowInfo().memo ? Object.keys(workflowInfo().memo!) : [];
  upsertSearchAttributes({});
  upsertSearchAttributes([]);
  upsertMemo({});
  await sleep(1);
  upsertSearchAttributes({ TestKeyword: undefined });
  upsertMemo({ kept: 1, gone: undefined });
  await sleep(1);
  const { memo, searchAttributes } = workflowInfo();
  return [length, memo, Object.keys(searchAttributes)];
}

/** An update that throws an error of a class that fails the workflow. */
export async function failsByUpdate(): Promise<void> {
  setHandler(defineUpdate('fail'), async () => {
    await sleep(1);
    throw new Expected('as configured');
  });
  await condition(() => false);
}

/** An activity whose call changes one field of its retry policy. */
export async function overrides(): Promise<void> {
  const { echo } = proxyActivities<{ echo(): Promise<void> }>({
    startToCloseTimeout: '1 minute',
    retry: { initialInterval: '7s', maximumAttempts: 3 },
  });
  await echo.executeWithOptions({ retry: { maximumAttempts: 1 } }, []);
}

/** Waits of every length. */
export async function waits(): Promise<string[]> {
  const fired: string[] = [];
  const wait = (name: string, promise: Promise<void>) => promise.then(() => fired.push(name));
  void wait('30 days', sleep('30 days'));
  void wait('30 days in ms', sleep(2_592_000_000));
  void wait('almost 50 minutes', sleep(29.999999999999996 * 100_000));
  void wait('100 years', sleep('100 years'));
  const short = [
    wait('1.5 ms', sleep(1.5)),
    wait('0.3 ms', sleep(0.3)),
    wait('-4 ms', sleep(-4)),
    wait('NaN', new Promise<void>((resolve) => void setTimeout(resolve, Number.NaN))),
    wait('no time', new Promise<void>((resolve) => void setTimeout(resolve))),
  ];
  setTimeout(() => fired.push('30 days as a timeout'), 2_592_000_000);
  await Promise.all(short);
  let went = false;
  setHandler(defineSignal('go'), () => {
    went = true;
  });
  await condition(() => went, null as never);
  return fired.sort();
}

const keys = {
  int: defineSearchAttributeKey('EdgeInt', 'INT'),
  double: defineSearchAttributeKey('EdgeDouble', 'DOUBLE'),
  time: defineSearchAttributeKey('EdgeTime', 'DATETIME'),
  bool: defineSearchAttributeKey('EdgeBool', 'BOOL'),
  list: defineSearchAttributeKey('EdgeList', 'KEYWORD_LIST'),
};

/** The attributes that it was started with, those that it upserts, and that again in another task. */
export async function attributes(pairs: [keyof typeof keys, any][]): Promise<unknown[]> {
  const read = () => workflowInfo().typedSearchAttributes.getAll();
  const updates = pairs.map(([key, value]) => ({
    key: keys[key],
    value: key === 'time' && value !== null ? new Date(value) : value,
  })) as SearchAttributeUpdatePair[];
  const given = read();
  upsertSearchAttributes(updates);
  const then = read();
  await sleep(1);
  return [given, then, read()];
}
