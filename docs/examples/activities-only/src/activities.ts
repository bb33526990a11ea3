import { activityInfo, heartbeat, log, sleep } from '@perdure/activity';

/** Counts to `limit`, ten a second. An attempt goes on where the last heartbeat of the one before it was. */
export async function count(limit: number): Promise<string> {
  const { attempt, heartbeatDetails } = activityInfo();
  for (let done = heartbeatDetails ?? 0; done < limit; ) {
    await sleep(100); // rejects when the activity is cancelled
    heartbeat(++done); // as often as you like: the worker sends what makes sense
    if (done % 10 === 0) log.info('counting', { done });
  }
  return `counted to ${limit} in attempt ${attempt}`;
}
