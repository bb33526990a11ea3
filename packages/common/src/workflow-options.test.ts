import {
  ActivityCancellationDetails,
  ExternalStorage,
  extractWorkflowType,
  extractWorkflowTypeAndConfig,
  isReservedName,
  type StorageDriver,
  StorageDriverClaim,
  throwIfReservedName,
  toCanonicalString,
  ValueError,
} from '@perdure/common';

describe('workflow types', () => {
  async function greet(): Promise<void> {}

  it('are names or functions with a name', () => {
    expect(extractWorkflowType('byName')).toBe('byName');
    expect(extractWorkflowType(greet)).toBe('greet');
    expect(() => extractWorkflowType((() => async () => {})())).toThrow(/anonymous/);
    expect(() => extractWorkflowType(7 as any)).toThrow(ValueError);
  });

  it('come with the type info of the call, else of the definition', () => {
    const defined = { inputTypes: [] };
    const typed = Object.assign(async function typed() {}, { staticOptions: { typeInfo: defined } });
    expect(extractWorkflowTypeAndConfig(typed)).toEqual({ type: 'typed', typeInfo: defined });
    const given = { outputType: {} };
    expect(extractWorkflowTypeAndConfig(typed, given).typeInfo).toBe(given);
    expect(extractWorkflowTypeAndConfig(greet)).toEqual({ type: 'greet' });
  });
});

describe('reserved names', () => {
  it('are those of the SDK, except what its family registers itself', () => {
    for (const name of [
      '__temporal_x',
      '__stack_trace',
      '__enhanced_stack_trace',
      '__temporal_workflow_metadata',
    ]) {
      expect(isReservedName(name)).toBe(true);
      expect(() => throwIfReservedName('signal', name)).toThrow(name);
    }
    for (const name of [
      'greet',
      '__temporal_workflow_stream_publish',
      '__temporal_langsmith',
      '__temporal_openai_agents_tracing',
    ]) {
      expect(() => throwIfReservedName('query', name)).not.toThrow();
    }
  });
});

describe('deployment versions', () => {
  it('are written as the server writes them', () => {
    expect(toCanonicalString({ deploymentName: 'shop', buildId: '1.2' })).toBe('shop.1.2');
  });
});

describe('cancellation details', () => {
  it('say why, and cannot be changed', () => {
    const details = ActivityCancellationDetails.fromProto({ isCancelled: true, isReset: true });
    expect(details).toEqual({
      notFound: false,
      cancelRequested: true,
      paused: false,
      timedOut: false,
      workerShutdown: false,
      reset: true,
    });
    expect(() => {
      (details as any).paused = true;
    }).toThrow(TypeError);
  });
});

describe('external storage', () => {
  const driver = (name: string): StorageDriver => ({
    name,
    type: 'test',
    store: async (_context, payloads) => payloads.map(() => new StorageDriverClaim({})),
    retrieve: async () => [],
  });

  it('takes the only driver where no selector is given', () => {
    const only = driver('only');
    const storage = new ExternalStorage({ drivers: [only] });
    expect(storage.driverSelector({}, {})).toBe(only);
    expect([storage.getDriver('only'), storage.getDriver('other')]).toEqual([only, null]);
    expect(storage.payloadSizeThreshold).toBe(262144);
  });

  it('is refused when its configuration makes no sense', () => {
    const two = [driver('a'), driver('b')];
    const wrong: any[] = [
      { drivers: [] },
      { drivers: undefined },
      { drivers: two },
      { drivers: [driver('a'), driver('a')], driverSelector: () => null },
      { drivers: [driver('')] },
      { drivers: [driver('a')], payloadSizeThreshold: -1 },
      { drivers: [driver('a')], payloadSizeThreshold: Number.NaN },
    ];
    for (const options of wrong) expect(() => new ExternalStorage(options)).toThrow(ValueError);
    expect(new ExternalStorage({ drivers: two, driverSelector: () => null }).drivers).toEqual(two);
  });
});
