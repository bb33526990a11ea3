/** A TCP proxy before the server that can be cut and mended, and counts. */
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';

export class Proxy {
  static async listen(target: string): Promise<Proxy> {
    const proxy = new Proxy(target);
    await proxy.mend();
    return proxy;
  }

  #server: Server | undefined;
  #port = 0;
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly target: string) {}

  get address(): string {
    return `127.0.0.1:${this.#port}`;
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
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as { port: number }).port;
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
}
