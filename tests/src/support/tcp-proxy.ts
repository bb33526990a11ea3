/** A TCP proxy before the server that can be cut and mended. */
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { type ClaimedPort, claimPort } from '@perdure/dev-server/lib/ports';

export class Proxy {
  static async listen(target: string): Promise<Proxy> {
    // Claimed, and none that systems hand out: nobody takes it while the proxy is cut.
    const proxy = new Proxy(target, await claimPort('127.0.0.1'));
    await proxy.mend();
    return proxy;
  }

  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly target: string,
    private readonly claimed: ClaimedPort,
  ) {}

  get address(): string {
    return `127.0.0.1:${this.claimed.port}`;
  }

  async mend(): Promise<void> {
    const [host, port] = this.target.split(':') as [string, string];
    const server = createServer((inbound) => {
      const outbound = connectSocket(Number(port), host);
      for (const [socket, other] of [
        [inbound, outbound],
        [outbound, inbound],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.claimed.port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      if (this.#server === undefined) resolve();
      else this.#server.close(() => resolve());
    });
    this.#server = undefined;
  }

  /** Cuts it for good. */
  async close(): Promise<void> {
    await this.cut();
    this.claimed.release();
  }
}
