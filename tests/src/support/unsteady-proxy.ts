/**
 * A TCP proxy that refuses, cuts, delays and swallows, by a seed.
 *
 * Owns    the listening socket and all connections through it.
 * P1  What is forwarded is forwarded unchanged and in order: a network may lose a connection, but it damages no bytes.
 * P2  The faults of the n-th connection depend on the seed and n alone; when they strike depends on real time.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Random, randomOf } from './random';

/** How often each fault has struck. */
export interface Faults {
  refused: number;
  cut: number;
  delayed: number;
  swallowed: number;
}

export class UnsteadyProxy {
  readonly faults: Faults = { refused: 0, cut: 0, delayed: 0, swallowed: 0 };
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #accepted = 0;
  #calm = false;

  private constructor(
    private readonly server: Server,
    private readonly target: { readonly host: string; readonly port: number },
    private readonly seed: number,
  ) {
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** @param target `host:port` of the server behind it */
  static async listen(target: string, seed: number): Promise<UnsteadyProxy> {
    const { hostname, port } = new URL(`tcp://${target}`);
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new UnsteadyProxy(server, { host: hostname, port: Number(port) }, seed);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  /** `host:port` to connect to. */
  get address(): string {
    const { port } = this.server.address() as { port: number };
    return `127.0.0.1:${port}`;
  }

  /** No more faults from now on; connections stay. */
  calm(): void {
    this.#calm = true;
  }

  async close(): Promise<void> {
    this.calm();
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await closed;
  }

  #accept(near: Socket): void {
    const random = randomOf(this.seed * 7919 + this.#accepted++); // P2
    if (!this.#calm && random.next() < 0.15) {
      this.faults.refused++;
      near.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const far = connect({ ...this.target, noDelay: true, allowHalfOpen: true });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    let timer: NodeJS.Timeout | undefined;
    const end = (reset: boolean) => {
      clearTimeout(timer);
      this.#pairs.delete(pair);
      for (const socket of pair) reset ? socket.resetAndDestroy() : socket.destroy();
    };
    for (const [from, to] of [pair, [far, near] as const]) {
      from.pipe(to); // P1
      from.on('error', () => end(true));
      from.on('close', () => end(false));
    }
    const strike = () => {
      timer = setTimeout(
        () => {
          if (this.#calm) return;
          this.#strike(pair, random, end, strike, (next) => {
            timer = next;
          });
        },
        random.between(150, 2500),
      );
    };
    strike();
  }

  #strike(
    [near, far]: readonly [Socket, Socket],
    random: Random,
    end: (reset: boolean) => void,
    again: () => void,
    wait: (timer: NodeJS.Timeout) => void,
  ): void {
    const stop = () => {
      near.unpipe(far);
      far.unpipe(near);
    };
    const fault = random.pick(['cut', 'cut', 'delayed', 'delayed', 'swallowed'] as const);
    this.faults[fault]++;
    switch (fault) {
      case 'cut':
        end(random.next() < 0.5);
        break;
      case 'delayed': {
        stop();
        near.pause();
        far.pause();
        const goOn = () => {
          near.pipe(far);
          far.pipe(near);
          again();
        };
        wait(setTimeout(goOn, random.between(20, 700)));
        break;
      }
      case 'swallowed':
        // The peers believe that what they send arrives, until the connection breaks.
        stop();
        near.resume();
        far.resume();
        wait(setTimeout(() => end(true), random.between(50, 900)));
        break;
    }
  }
}
