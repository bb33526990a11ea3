/** Workflows that keep activities on one host. */
import {
  createSession,
  recreateSession,
  SessionError,
  SessionFailedError,
  type SessionOptions,
  type SessionToken,
  withSession,
} from '@perdure/sessions/workflow';
import {
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
} from '@perdure/workflow';

export interface SessionActivities {
  where(): Promise<string>;
  hang(): Promise<void>;
  clean(): Promise<string>;
}

const times = { startToCloseTimeout: '60s', retry: { maximumAttempts: 1 } } as const;
// Hosts give a sign of life four times as often: a host that has to wait for its machine is not taken for lost.
const defaults: SessionOptions = { creationTimeout: '60s', executionTimeout: '90s', heartbeatTimeout: '6s' };

export const goOn = defineSignal('goOn');
export const stateOf = defineQuery<string>('state');

/** Where each of `count` activities ran, and where the session says it is. */
export async function allInOnePlace(
  count: number,
): Promise<{ places: string[]; resourceId: string; state: string }> {
  return withSession(defaults, async (session) => {
    const { where } = session.proxyActivities<SessionActivities>(times);
    const places: string[] = [];
    for (let i = 0; i < count; i++) places.push(await where());
    places.push(await where.executeWithOptions({ startToCloseTimeout: '30s', summary: 'own options' }, []));
    return { places, ...session.info };
  });
}

/** Keeps a session open until it is told to go on; answers queries with what it is doing. */
export async function keepsSession(options: Partial<SessionOptions> = {}): Promise<string> {
  let state = 'waiting';
  let told = false;
  setHandler(stateOf, () => state);
  setHandler(goOn, () => {
    told = true;
  });
  try {
    return await withSession({ ...defaults, ...options }, async (session) => {
      state = `open on ${session.info.resourceId}`;
      const { where } = session.proxyActivities<SessionActivities>(times);
      await Promise.race([condition(() => told), session.failed]);
      return await where();
    });
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    return `${error.name}: ${error.message}`;
  }
}

/** What a call in mid-session sees when its host dies, and a new session after that. */
export async function hostDies(taskQueue: string): Promise<unknown> {
  const options = { ...defaults, taskQueue };
  const session = await createSession(options);
  const first = session.proxyActivities<SessionActivities>(times);
  const before = await first.where();
  try {
    await first.hang();
    return 'the activity came back';
  } catch (error) {
    if (!(error instanceof SessionFailedError)) throw error;
    const after = await first.where().catch((again: Error) => again === error);
    const next = await withSession(options, (other) =>
      other.proxyActivities<SessionActivities>(times).where(),
    );
    return {
      code: (error as { code?: string }).code,
      reason: error.reason,
      hint: error.hint,
      sameErrorAgain: after,
      before,
      next,
      state: session.info.state,
    };
  }
}

/** Fails with the session's error. */
export async function failsWithHost(): Promise<void> {
  await withSession(defaults, (session) => session.proxyActivities<SessionActivities>(times).hang());
}

/** Cleans up on the host when it is cancelled. */
export async function cleansUp(): Promise<string> {
  const session = await createSession(defaults);
  const { hang, clean } = session.proxyActivities<SessionActivities>({ ...times, heartbeatTimeout: '20s' });
  try {
    await hang();
    return 'the activity came back';
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return await CancellationScope.nonCancellable(async () => {
      const cleaned = await clean();
      await session.complete();
      await session.complete();
      const late = await clean().catch((refused: Error) => refused.name);
      return `${cleaned}, then ${late}, ${session.info.state}`;
    });
  }
}

/** Comes back to the host of a session that is complete. */
export async function comesBack(): Promise<unknown> {
  let token: SessionToken | undefined;
  const first = await withSession(defaults, async (session) => {
    token = JSON.parse(JSON.stringify(session.token));
    return session.proxyActivities<SessionActivities>(times).where();
  });
  const again = await recreateSession(token!, defaults);
  const second = await again.proxyActivities<SessionActivities>(times).where();
  await again.complete();
  const gone = await recreateSession(
    { ...token!, taskQueue: 'nobody' },
    { ...defaults, creationTimeout: '500ms' },
  ).catch((error: Error) => error.name);
  return { same: first === second, gone };
}

/** Without a session: any worker. */
export async function anywhere(): Promise<string> {
  return proxyActivities<SessionActivities>(times).where();
}
