import type { Link } from '@perdure/proto/temporal/api/common/v1/message';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import fc from 'fast-check';
import Long from 'long';
import { fromNexusLink, toNexusLink } from './links';

const WORKFLOW = 'temporal.api.common.v1.Link.WorkflowEvent';

describe('links', () => {
  it('are URLs that other SDKs read', () => {
    const workflowEvent = { namespace: 'n s', workflowId: 'w/1', runId: 'r' };
    expect(
      toNexusLink({
        workflowEvent: {
          ...workflowEvent,
          eventRef: {
            eventId: Long.fromNumber(5),
            eventType: EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED,
          },
        },
      }),
    ).toEqual({
      type: WORKFLOW,
      url: new URL(
        'temporal:///namespaces/n%20s/workflows/w%2F1/r/history?referenceType=EventReference&eventID=5&eventType=NexusOperationScheduled',
      ),
    });
    expect(
      toNexusLink({
        workflowEvent: {
          ...workflowEvent,
          requestIdRef: {
            requestId: 'q',
            eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
          },
        },
      }).url.search,
    ).toBe('?referenceType=RequestIdReference&requestID=q&eventType=WorkflowExecutionOptionsUpdated');
    expect(toNexusLink({ nexusOperation: { namespace: 'n', operationId: 'o', runId: 'r' } })).toEqual({
      type: 'temporal.api.common.v1.Link.NexusOperation',
      url: new URL('temporal:///namespaces/n/nexus-operations/o?runID=r'),
    });
  });

  it('to activities and Nexus operations are understood in every form that is around', () => {
    const activity = { namespace: 'n', activityId: 'a', runId: 'r' };
    const link = toNexusLink({ activity });
    expect(link.url.href).toBe('temporal:///namespaces/n/activities/a/r/details');
    expect(fromNexusLink(link)).toEqual({ activity });
    const nexusOperation = { namespace: 'n', operationId: 'o', runId: 'r' };
    for (const end of ['o?runID=r', 'o/r/details']) {
      const url = new URL(`temporal:///namespaces/n/nexus-operations/${end}`);
      expect(fromNexusLink({ url, type: 'temporal.api.common.v1.Link.NexusOperation' })).toEqual({
        nexusOperation,
      });
    }
  });

  it('come back as they were, for any ids and events', () => {
    // "." and ".." are no names of files in a URL even when they are percent-encoded.
    const id = fc.string({ minLength: 1, unit: 'grapheme' }).filter((s) => !/^\.\.?$/.test(s));
    const eventType = fc.constantFrom(
      ...Object.values(EventType).filter((type): type is EventType => typeof type === 'number' && type > 0),
    );
    const execution = { namespace: id, workflowId: id, runId: id };
    const link: fc.Arbitrary<Link> = fc.oneof(
      fc.record({ workflowEvent: fc.record(execution) }),
      fc.record({
        workflowEvent: fc.record({
          ...execution,
          eventRef: fc.record({ eventId: fc.nat().map((n) => Long.fromNumber(n)), eventType }),
        }),
      }),
      fc.record({
        workflowEvent: fc.record({
          ...execution,
          requestIdRef: fc.record({ requestId: fc.string({ unit: 'grapheme' }), eventType }),
        }),
      }),
      fc.record({ activity: fc.record({ namespace: id, activityId: id, runId: id }) }),
      fc.record({ nexusOperation: fc.record({ namespace: id, operationId: id, runId: id }) }),
    );
    fc.assert(fc.property(link, (given) => expect(fromNexusLink(toNexusLink(given))).toEqual(given)));
  });

  it('are understood with the full names of events too', () => {
    const url = new URL(
      'temporal:///namespaces/n/workflows/w/r/history?referenceType=EventReference&eventType=EVENT_TYPE_TIMER_FIRED',
    );
    expect(fromNexusLink({ url, type: WORKFLOW }).workflowEvent?.eventRef).toEqual({
      eventId: Long.ZERO,
      eventType: EventType.EVENT_TYPE_TIMER_FIRED,
    });
  });

  it('of another kind are refused with the reason', () => {
    const cases: [string, string, RegExp][] = [
      ['https://example.com/namespaces/n', WORKFLOW, /protocol/],
      ['temporal:///elsewhere/n/workflows/w/r/history', WORKFLOW, /namespaces/],
      ['temporal:///namespaces/n/workflows/w/history', WORKFLOW, /history/],
      ['temporal:///namespaces/n/workflows/w/r/history', 'some.Type', /some\.Type/],
      ['temporal:///namespaces/n/activities/a', 'temporal.api.common.v1.Link.Activity', /activity/],
      ['temporal:///namespaces/n/things/o', 'temporal.api.common.v1.Link.NexusOperation', /Nexus operation/],
      ['temporal:///namespaces/n/workflows/w/r/history?referenceType=X&eventType=TimerFired', WORKFLOW, /X/],
      [
        'temporal:///namespaces/n/workflows/w/r/history?referenceType=EventReference&eventType=No',
        WORKFLOW,
        /No/,
      ],
    ];
    for (const [url, type, why] of cases)
      expect(() => fromNexusLink({ url: new URL(url), type })).toThrow(why);
    expect(() => toNexusLink({ batchJob: { jobId: 'j' } })).toThrow(/no URL/);
    expect(() => toNexusLink({ workflowEvent: { namespace: 'n', workflowId: 'w' } })).toThrow(/missing/);
  });
});
