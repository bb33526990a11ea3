import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import * as common from '@perdure/common';
import { ADDITIONAL_VALUES, MISSING_TYPES, MISSING_VALUES } from './testing/api-differences';

const packageDir = path.resolve(__dirname, '..');
const official: { values: string[]; types: string[] } = JSON.parse(
  fs.readFileSync(path.join(packageDir, 'src/testing/api-surface.json'), 'utf8'),
);

describe('the exports of the package', () => {
  it('have every official runtime name, except the listed ones', () => {
    const missing = official.values.filter((name) => !(name in common));
    expect(missing).toEqual(Object.keys(MISSING_VALUES));
    for (const name of official.values) expect((common as any)[name]).toBeDefined();
  });

  it('have no other runtime name, except the listed ones', () => {
    const additional = Object.keys(common).filter((name) => !official.values.includes(name));
    expect(additional.sort()).toEqual(Object.keys(ADDITIONAL_VALUES).sort());
  });

  it('have every official type, except the listed ones', () => {
    const declarations = fs.readFileSync(path.join(packageDir, 'lib/index.d.ts'), 'utf8');
    const missing = official.types.filter(
      (name) => !new RegExp(`\\btype ${name}\\b|[{,]\\s*${name}\\b`).test(declarations),
    );
    expect(missing).toEqual(Object.keys(MISSING_TYPES));
  });

  it('are seen by ESM importers by name', () => {
    const script =
      "import * as common from '@perdure/common'; console.log(JSON.stringify(Object.keys(common)))";
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: packageDir });
    expect(JSON.parse(output.toString())).toEqual(expect.arrayContaining(Object.keys(common)));
  });

  it('load and work in a realm that has nothing but the language', () => {
    const realm = vm.createContext(vm.constants.DONT_CONTEXTIFY as any, {
      codeGeneration: { strings: false, wasm: false },
    });
    const modules = new Map<string, any>();
    const load = (file: string): any => {
      if (!modules.has(file)) {
        const factory = vm.runInContext(
          `(function (exports, require, module) {${fs.readFileSync(file, 'utf8')}\n})`,
          realm,
          { filename: file },
        );
        const module = { exports: vm.runInContext('({})', realm) };
        modules.set(file, module);
        const resolve = createRequire(file).resolve;
        factory(module.exports, (id: string) => load(resolve(id)), module);
      }
      return modules.get(file).exports;
    };
    const inRealm = load(require.resolve('@perdure/common')) as typeof common;
    expect(Object.keys(inRealm).sort()).toEqual(Object.keys(common).sort());
    for (const file of modules.keys()) expect(path.isAbsolute(file)).toBe(true); // no built-in module
    const failure = inRealm.ApplicationFailure.nonRetryable('in a realm', 'Kind', 'détail');
    expect(failure).toBeInstanceOf(common.ApplicationFailure);
    expect(failure).not.toBeInstanceOf(Error);
    const proto = inRealm.defaultFailureConverter.errorToFailure(failure, inRealm.defaultPayloadConverter);
    const back = common.defaultFailureConverter.failureToError(proto, common.defaultPayloadConverter);
    expect(back).toMatchObject({
      message: 'in a realm',
      type: 'Kind',
      nonRetryable: true,
      details: ['détail'],
    });
  });
});

describe('the paths that user code imports beside the index', () => {
  const paths: Record<string, string[]> = {
    'activity-options': ['ActivityCancellationType'],
    'converter/data-converter': ['defaultDataConverter'],
    'converter/failure-converter': ['DefaultFailureConverter', 'defaultFailureConverter', 'cutoffStackTrace'],
    'converter/payload-codec': [],
    'converter/payload-converter': [
      'DefaultPayloadConverter',
      'CompositePayloadConverter',
      'toPayloads',
      'RawValue',
    ],
    'converter/protobuf-payload-converters': ['DefaultPayloadConverterWithProtobufs'],
    'converter/types': ['METADATA_ENCODING_KEY', 'encodingTypes', 'encodingKeys'],
    encoding: ['encode', 'decode', 'TextEncoder', 'TextDecoder'],
    errors: ['ValueError', 'IllegalStateError', 'WorkflowNotFoundError'],
    failure: ['ApplicationFailure', 'rootCause'],
    interceptors: ['composeInterceptors'],
    interfaces: ['HandlerUnfinishedPolicy'],
    'internal-non-workflow': [
      'decodeArrayFromPayloads',
      'encodeToPayloads',
      'loadDataConverter',
      'normalizeTlsConfig',
    ],
    logger: ['SdkComponent'],
    'proto-utils': ['historyFromJSON', 'historyToJSON', 'payloadToJSON', 'JSONToPayload'],
    protobufs: [
      'DefaultPayloadConverterWithProtobufs',
      'ProtobufBinaryPayloadConverter',
      'ProtobufJsonPayloadConverter',
      'patchProtobufRoot',
    ],
    'search-attributes': ['isValidValueForType', 'encodeSearchAttributeIndexedValueType'],
    time: [
      ...[
        'msToNumber',
        'msToTs',
        'msNumberToTs',
        'msOptionalToNumber',
        'msOptionalToTs',
        'tsToMs',
        'tsToDate',
      ],
      ...['optionalTsToMs', 'optionalTsToDate', 'requiredTsToMs', 'requiredTsToDate', 'optionalDateToTs'],
    ],
    'type-helpers': ['SymbolBasedInstanceOfError', 'isAbortError'],
  };

  it('have their names, with and without ".js"', () => {
    for (const [file, names] of Object.entries(paths)) {
      const module = require(`@perdure/common/lib/${file}`);
      expect(require(`@perdure/common/lib/${file}.js`)).toBe(module);
      expect([file, names.filter((name) => module[name] === undefined)]).toEqual([file, []]);
    }
  });
});

describe('the enums', () => {
  it('have the numbers of the protocol', () => {
    const { temporal, coresdk } = require('@perdure/proto') as typeof import('@perdure/proto');
    const enums = temporal.api.enums.v1;
    const codecs: [object, string, (input: any) => number | undefined, (input: any) => string | undefined][] =
      [
        [enums.TimeoutType, 'TIMEOUT_TYPE_', common.encodeTimeoutType, common.decodeTimeoutType],
        [enums.RetryState, 'RETRY_STATE_', common.encodeRetryState, common.decodeRetryState],
        [
          enums.ApplicationErrorCategory,
          'APPLICATION_ERROR_CATEGORY_',
          common.encodeApplicationFailureCategory,
          common.decodeApplicationFailureCategory,
        ],
        [
          enums.VersioningBehavior,
          'VERSIONING_BEHAVIOR_',
          common.encodeVersioningBehavior,
          common.decodeVersioningBehavior,
        ],
        [
          enums.ContinueAsNewVersioningBehavior,
          'CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_',
          common.encodeInitialVersioningBehavior,
          common.decodeInitialVersioningBehavior,
        ],
        [
          enums.SuggestContinueAsNewReason,
          'SUGGEST_CONTINUE_AS_NEW_REASON_',
          common.encodeSuggestContinueAsNewReason,
          common.decodeSuggestContinueAsNewReason,
        ],
        [
          enums.WorkflowIdReusePolicy,
          'WORKFLOW_ID_REUSE_POLICY_',
          common.encodeWorkflowIdReusePolicy,
          common.decodeWorkflowIdReusePolicy,
        ],
        [
          enums.WorkflowIdConflictPolicy,
          'WORKFLOW_ID_CONFLICT_POLICY_',
          common.encodeWorkflowIdConflictPolicy,
          common.decodeWorkflowIdConflictPolicy,
        ],
        [
          enums.IndexedValueType,
          'INDEXED_VALUE_TYPE_',
          require('@perdure/common/lib/search-attributes').encodeSearchAttributeIndexedValueType,
          require('@perdure/common/lib/search-attributes').decodeSearchAttributeIndexedValueType,
        ],
        [
          coresdk.workflow_commands.ActivityCancellationType,
          '',
          require('@perdure/common/lib/activity-options').encodeActivityCancellationType,
          require('@perdure/common/lib/activity-options').decodeActivityCancellationType,
        ],
      ];
    for (const [members, prefix, encode, decode] of codecs) {
      for (const [name, number] of Object.entries(members).filter(([, value]) => typeof value === 'number')) {
        expect(name.startsWith(prefix)).toBe(true);
        const short = name.slice(prefix.length);
        expect([encode(name), encode(short), encode(number)]).toEqual([number, number, number]);
        expect(decode(number)).toBe(short === 'UNSPECIFIED' ? undefined : short);
      }
      expect([encode(undefined), encode(null), decode(undefined), decode(null)]).toEqual(
        Array(4).fill(undefined),
      );
      expect(() => encode('NO_SUCH_MEMBER')).toThrow(common.ValueError);
      expect(() => encode('toString')).toThrow(common.ValueError);
      expect(() => decode(4711)).toThrow(common.ValueError);
    }
  });

  it('keep their deprecated names', () => {
    expect(common.TimeoutType.TIMEOUT_TYPE_HEARTBEAT).toBe('HEARTBEAT');
    expect(common.RetryState.RETRY_STATE_TIMEOUT).toBe('TIMEOUT');
    expect(common.WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE).toBe('REJECT_DUPLICATE');
  });
});
