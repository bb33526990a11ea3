import Long from 'long';
import { LogTimestamp } from './logger';
import { nativeLine } from './native-log';

it('a native line has its fields under the names that other lines use', () => {
  const line = nativeLine({
    level: 'WARN',
    message: 'Failing workflow task',
    target: 'temporalio_sdk_core::worker',
    timeUnixNs: Long.fromString('1795283026709132461', true),
    fields: {
      run_id: '"r-1"',
      task_queue: '"q"',
      will_use_timer: 'false',
      attempt: '3',
      status: 'not JSON',
      _own: '1',
    },
    spans: ['complete_workflow_activation'],
  });
  expect(line).toEqual({
    level: 'WARN',
    message: 'Failing workflow task',
    metadata: {
      sdkComponent: 'core',
      target: 'temporalio_sdk_core::worker',
      runId: 'r-1',
      taskQueue: 'q',
      willUseTimer: false,
      attempt: 3,
      status: 'not JSON',
      _own: 1,
      spans: ['complete_workflow_activation'],
      [LogTimestamp]: 1_795_283_026_709_132_461n,
    },
  });
});

it('a native line of a level that nobody knows is for information', () => {
  expect(nativeLine({ level: 'LOUD' })).toMatchObject({ level: 'INFO', message: '' });
});
