/**
 * A real gRPC server whose answers are scripted, for what no Temporal server does on demand: failing with a given
 * status, hanging, closing. It notes what it was asked.
 */
import {
  type Metadata as GrpcMetadata,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import { HealthDefinition } from '@perdure/proto/grpc/health/v1/health';
import { WorkflowServiceDefinition } from '@perdure/proto/temporal/api/workflowservice/v1/service';

export type Answer =
  /** A message as the answer. */
  | { message: object }
  /** A failure. */
  | { code: status; details?: string; metadata?: GrpcMetadata }
  /** No answer at all. */
  | 'hang';

export interface Asked {
  method: string;
  request: any;
  headers: Metadata;
  atMs: number;
  cancelled: boolean;
}

export class ScriptedServer {
  readonly asked: Asked[] = [];
  /** Answers by method, in turn; the last one is repeated. */
  script: Record<string, Answer[]> = {};
  port = 0;
  private readonly server = new Server();

  constructor(private readonly credentials = ServerCredentials.createInsecure()) {
    const methods: Record<string, any> = {};
    const handlers: Record<string, any> = {};
    for (const [key, { name, requestType, responseType }] of Object.entries(
      WorkflowServiceDefinition.methods,
    )) {
      methods[key] = {
        path: `/${WorkflowServiceDefinition.fullName}/${name}`,
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes: Buffer) => requestType.decode(bytes),
        requestSerialize: (message: any) => Buffer.from(requestType.encode(message).finish()),
        responseSerialize: (message: any) => Buffer.from((responseType as any).encode(message).finish()),
        responseDeserialize: (bytes: Buffer) => responseType.decode(bytes),
      };
      handlers[key] = (call: ServerUnaryCall<any, any>, respond: (error: any, message?: any) => void) =>
        this.answer(key, call, respond);
    }
    this.server.addService(methods, handlers);
    this.addHealth();
  }

  /** Health: SERVING for everybody who asks; who watches hears of each change of `health`. */
  readonly watchers = new Set<ServerWritableStream<any, any>>();
  private health = 1; // SERVING

  setHealth(status: number): void {
    this.health = status;
    for (const watcher of this.watchers) watcher.write({ status });
  }

  private addHealth(): void {
    const { fullName, methods } = HealthDefinition;
    const definition = Object.fromEntries(
      Object.entries(methods).map(([key, { name, requestType, responseType, responseStream }]) => [
        key,
        {
          path: `/${fullName}/${name}`,
          requestStream: false,
          responseStream,
          requestDeserialize: (bytes: Buffer) => requestType.decode(bytes),
          requestSerialize: (message: any) => Buffer.from(requestType.encode(message).finish()),
          responseSerialize: (message: any) => Buffer.from(responseType.encode(message).finish()),
          responseDeserialize: (bytes: Buffer) => responseType.decode(bytes),
        },
      ]),
    );
    this.server.addService(definition, {
      check: (call: ServerUnaryCall<any, any>, respond: (error: any, message?: any) => void) => {
        this.note('check', call);
        respond(null, { status: this.health });
      },
      watch: (call: ServerWritableStream<any, any>) => {
        const asked = this.note('watch', call);
        this.watchers.add(call);
        call.on('cancelled', () => {
          asked.cancelled = true;
          this.watchers.delete(call);
        });
        call.write({ status: this.health });
      },
    });
  }

  private note(method: string, call: { request: any; metadata: Metadata }): Asked {
    const asked: Asked = {
      method,
      request: call.request,
      headers: call.metadata,
      atMs: Date.now(),
      cancelled: false,
    };
    this.asked.push(asked);
    return asked;
  }

  async listen(port = 0): Promise<string> {
    this.port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync(`127.0.0.1:${port}`, this.credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    return `127.0.0.1:${this.port}`;
  }

  close(): void {
    this.server.forceShutdown();
  }

  private answer(
    method: string,
    call: ServerUnaryCall<any, any>,
    respond: (error: any, message?: any) => void,
  ) {
    const asked = this.note(method, call);
    call.on('cancelled', () => {
      asked.cancelled = true;
    });
    const answers = this.script[method] ?? [{ message: {} }];
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    if (answer === 'hang') return;
    if ('message' in answer) respond(null, answer.message);
    else
      respond({
        code: answer.code,
        details: answer.details ?? status[answer.code],
        metadata: answer.metadata,
      });
  }
}
