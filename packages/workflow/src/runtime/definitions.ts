/**
 * From a bundle to the modules of one run.
 *
 * Owns    evaluating chunks, module caching, finding workflow functions, interceptors and converters.
 * D1  A chunk is evaluated at most once per run, when it is first required; shared chunks once per bundle.
 * D2  Lookups use Maps and own properties only: names come from outside and may be those of Object.prototype.
 */
import {
  defaultFailureConverter,
  defaultPayloadConverter,
  type FailureConverter,
  type PayloadConverter,
} from '@perdure/common';
import { BUNDLE_FORMAT, type ChunkFactory, type WorkflowBundle } from '@perdure/common/bundle';
import { BundleFormatError, WorkflowError, WorkflowTypeNotFoundError } from '../errors';
import type { WorkflowInterceptors } from '../interceptors';
import type { RuntimeHost } from './host';

/** A workflow function and how it was found. */
export interface WorkflowDefinition {
  readonly fn: (...args: any[]) => unknown;
  /** True if it is the bundle's default, which handles types unknown to the bundle. */
  readonly isDefault: boolean;
}

interface WorkflowEntry {
  readonly chunk: string;
  readonly exportName: string;
}

/** A bundle, indexed. */
export class LoadedBundle {
  readonly workflows = new Map<string, WorkflowEntry>();
  readonly factories = new Map<string, ChunkFactory>();
  readonly sharedIds: ReadonlySet<string>;
  readonly sharedModules = new Map<string, object>();

  /** @throws BundleFormatError if the bundle is of another format */
  constructor(
    readonly bundle: WorkflowBundle,
    readonly host: RuntimeHost,
    readonly hostModules: ReadonlyMap<string, object>,
  ) {
    if (bundle?.format !== BUNDLE_FORMAT) throw new BundleFormatError(bundle?.format, BUNDLE_FORMAT);
    for (const [type, chunk, exportName] of bundle.workflows) this.workflows.set(type, { chunk, exportName });
    for (const [id, factory] of bundle.chunks) this.factories.set(id, factory);
    this.sharedIds = new Set(bundle.shared);
  }

  /** Types a client can start, the default one left out. */
  get knownTypes(): string[] {
    return [...this.workflows.keys()].filter((type) => type !== 'default');
  }
}

/** The modules of one run. */
export class RunModules {
  private readonly cache = new Map<string, object>();
  private readonly globalThis_: object;

  constructor(private readonly bundle: LoadedBundle) {
    this.globalThis_ = bundle.host.newGlobal();
  }

  /** Exports of a chunk or a host module, evaluated if they have not been (D1). */
  readonly require = (id: string): object => {
    const cached = this.cache.get(id) ?? this.bundle.hostModules.get(id);
    if (cached !== undefined) return cached;
    const factory = this.bundle.factories.get(id);
    if (factory === undefined) {
      throw new WorkflowError(`The workflow bundle has no module ${JSON.stringify(id)}`, {
        hint: 'build the bundle again: it refers to a module that is not in it',
      });
    }
    if (this.bundle.sharedIds.has(id)) return this.requireShared(id, factory);
    const exports_: Record<string, unknown> = {};
    this.cache.set(id, exports_); // before evaluating: imports may be circular
    factory(this.globalThis_, this.require, exports_);
    return exports_;
  };

  private requireShared(id: string, factory: ChunkFactory): object {
    const { sharedModules, host } = this.bundle;
    const known = sharedModules.get(id);
    if (known !== undefined) return known;
    const exports_: Record<string, unknown> = {};
    sharedModules.set(id, exports_);
    try {
      factory(this.globalThis_, this.require, exports_);
      host.harden?.(exports_);
    } catch (error) {
      sharedModules.delete(id);
      throw error;
    }
    return exports_;
  }

  /** @throws WorkflowTypeNotFoundError if neither the type nor a default is there */
  workflow(type: string): WorkflowDefinition {
    const own = type === 'default' ? undefined : this.bundle.workflows.get(type);
    const entry = own ?? this.bundle.workflows.get('default');
    if (entry === undefined) throw new WorkflowTypeNotFoundError(type, this.bundle.knownTypes);
    const fn = exported(this.require(entry.chunk), entry.exportName);
    if (typeof fn !== 'function') {
      throw new WorkflowError(`The workflow ${JSON.stringify(type)} is not a function but ${kindOf(fn)}`, {
        hint: 'export an async function under that name',
      });
    }
    return { fn: fn as WorkflowDefinition['fn'], isDefault: own === undefined };
  }

  /** What the interceptor modules make for this run. */
  interceptors(): WorkflowInterceptors[] {
    const all: WorkflowInterceptors[] = [];
    for (const id of this.bundle.bundle.interceptors) {
      const factory = exported(this.require(id), 'interceptors');
      if (factory === undefined) continue;
      if (typeof factory !== 'function') {
        throw new WorkflowError(
          `The export 'interceptors' of module ${JSON.stringify(id)} is not a function`,
          {
            hint: 'export a function that returns { inbound, outbound, internals }',
          },
        );
      }
      all.push((factory() as WorkflowInterceptors | undefined) ?? {});
    }
    return all;
  }

  payloadConverter(): PayloadConverter {
    const id = this.bundle.bundle.payloadConverter;
    if (id === undefined) return defaultPayloadConverter;
    return this.converter<PayloadConverter>(id, 'payloadConverter', ['toPayload', 'fromPayload']);
  }

  failureConverter(): FailureConverter {
    const id = this.bundle.bundle.failureConverter;
    if (id === undefined) return defaultFailureConverter;
    return this.converter<FailureConverter>(id, 'failureConverter', ['errorToFailure', 'failureToError']);
  }

  private converter<T>(id: string, name: string, methods: readonly string[]): T {
    const converter = exported(this.require(id), name) as Record<string, unknown> | undefined;
    for (const method of methods) {
      if (typeof converter?.[method] === 'function') continue;
      throw new WorkflowError(
        `The module given for the converter exports no ${name} with a method ${method}()`,
        {
          hint: `export const ${name} = new YourConverter()`,
        },
      );
    }
    return converter as T;
  }
}

/** An export, never an inherited member (D2). CommonJS modules may hold theirs under `default`. */
function exported(exports_: object, name: string): unknown {
  if (Object.hasOwn(exports_, name)) return (exports_ as Record<string, unknown>)[name];
  const inner = Object.hasOwn(exports_, 'default') ? (exports_ as { default: unknown }).default : undefined;
  if (typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)) {
    return (inner as Record<string, unknown>)[name];
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  return value === null ? 'null' : typeof value;
}
