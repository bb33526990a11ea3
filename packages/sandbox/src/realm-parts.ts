/**
 * Types of the scripts under realm/: what each is given and what it returns. Types only; the scripts are evaluated
 * inside a realm and can import nothing.
 */

export interface Hardener {
  /** Freezes every intrinsic that the named globals or the language's syntax lead to, and what else is given. */
  hardenIntrinsics(names: readonly string[], extra: readonly unknown[]): void;
  /** Freezes everything that hangs on `root`; its classes stay usable as base classes. */
  hardenModule(root: object): void;
  /** Freezes the context's global object. */
  sealGlobal(): void;
  frozenCount(): number;
}

export interface ErrorHost {
  /** File name that the bundle was compiled with. */
  readonly bundleFile: string;
  /** @returns "source:line:column" of the user's source, if the bundle's source map knows it */
  mapPosition(line: number, column: number): string | undefined;
}

/** What time and chance come from. */
export interface RuntimeHooks {
  now(): number;
  random(): number;
}

export interface DeterminismHost {
  /** Epoch milliseconds of the current run's activation. */
  now(): number;
  random(): number;
  /** The error that use of something nondeterministic throws. */
  refusal(message: string): unknown;
}

export interface TextHost {
  /** Writes UTF-8 into `into` and returns the number of bytes. */
  encodeInto(text: string, into: Uint8Array): number;
  /** @returns undefined if `fatal` and the bytes are not UTF-8 */
  decode(bytes: Uint8Array, fatal: boolean, keepMark: boolean): string | undefined;
}

export interface TextCodecs {
  readonly TextEncoder: new () => { encode(text?: string): Uint8Array };
  readonly TextDecoder: new (
    label?: string,
    options?: { fatal?: boolean; ignoreBOM?: boolean },
  ) => { decode(bytes?: Uint8Array): string };
}

export interface UrlHost {
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array, length: number): string;
  /** @returns all parts of the URL, joined with newlines; undefined if it is not valid */
  parse(text: string, base: string | undefined): string | undefined;
  /** @returns the parts after setting one of them */
  change(href: string, part: string, value: string): string | undefined;
}

export interface UrlTypes {
  readonly URL: Function;
  readonly URLSearchParams: Function;
}

export interface AbortHost {
  setTimeout(callback: () => void, delayMs: number): void;
}

export interface AbortTypes {
  readonly AbortController: Function;
  readonly AbortSignal: Function;
}

export interface NodeModules {
  readonly assert: object;
  readonly util: object;
}

/** Values of the scripts that run before boot. */
export interface RealmParts {
  makeHardener(): Hardener;
  tameErrors(host: ErrorHost): Function;
  makeDeterministic(host: DeterminismHost): Function;
  makeTextCodecs(host: TextHost): TextCodecs;
  makeUrl(host: UrlHost): UrlTypes;
  makeAbort(host: AbortHost): AbortTypes;
  makeAssert(codecs: TextCodecs): NodeModules;
}

/** Functions of the host that the realm may call, all of them with primitives and bytes only. */
export interface BootHost {
  entropy(): number;
  wallClockMs(): number;
  mapPosition(line: number, column: number): string | undefined;
  sourceText(source: string): string | undefined;
  encodeInto(text: string, into: Uint8Array): number;
  decode(bytes: Uint8Array, fatal: boolean, keepMark: boolean): string | undefined;
  parseUrl(text: string, base: string | undefined): string | undefined;
  changeUrl(href: string, part: string, value: string): string | undefined;
  decidePatch(worker: number, runId: string, patchId: string, info: string): string;
  runInScope(token: object, fn: () => void): void;
  currentScope(): object | undefined;
}

export interface BootOptions {
  /** False: intrinsics stay as patchable as in a fresh context (one context per run). */
  readonly freeze: boolean;
  readonly bundleFile: string;
  /** Names of the policy; everything else is removed. */
  readonly known: readonly string[];
  readonly removed: readonly string[];
}

export interface Booted {
  install(makeRuntime: unknown): object;
  makeBytes(length: number): Uint8Array;
  readonly promisePrototype: object;
  frozenCount(): number;
}
