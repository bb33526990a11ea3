/** A proxy between a client and a server that can cut, freeze and refuse, and that speaks HTTP CONNECT if asked to. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy {
  /** Connections that were made. */
  accepted = 0;
  /** Targets that clients asked for by CONNECT, with what they said to prove who they are. */
  readonly targets: { target: string; authorization: string | undefined }[] = [];
  private readonly pairs = new Set<[Socket, Socket]>();
  private readonly server: Server;

  private constructor(targetPort: number | undefined) {
    this.server = createServer((socket) => {
      this.accepted++;
      if (targetPort === undefined) this.handshake(socket);
      else this.join(socket, connect(targetPort, '127.0.0.1'));
    });
  }

  /** @param targetPort  where to; undefined for an HTTP proxy that is told by each client */
  static async listen(targetPort?: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as { port: number }).port}`;
  }

  private handshake(socket: Socket): void {
    let head = '';
    const onData = (chunk: Buffer) => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', onData);
      const target = /^CONNECT (\S+) HTTP/.exec(head)?.[1] ?? '';
      this.targets.push({ target, authorization: /^proxy-authorization: (.*)$/im.exec(head)?.[1]?.trim() });
      const [host, port] = target.split(':');
      const upstream = connect(Number(port), host!);
      upstream.once('connect', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        this.join(socket, upstream);
      });
      upstream.on('error', () => socket.destroy());
    };
    socket.on('data', onData);
    socket.on('error', () => {});
  }

  private join(near: Socket, far: Socket): void {
    const pair: [Socket, Socket] = [near, far];
    this.pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
  }

  /** Closes all connections; new ones are taken. */
  cut(): void {
    for (const pair of [...this.pairs]) for (const socket of pair) socket.destroy();
  }

  /** Passes nothing on any more, without closing; new connections work. */
  freeze(): void {
    for (const [near, far] of this.pairs) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }
}
