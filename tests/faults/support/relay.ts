import { createServer, type Server, type Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** How a line is, at present. */
export interface Line {
  /** Nothing passes; whoever connects is turned away, what was open has been torn. */
  cut: boolean;
  /** Before every piece that passes, either way. */
  delayMs: number;
  /** How much passes in a piece; small ones make it slow. */
  pieceBytes: number;
}

export const HEALTHY: Line = { cut: false, delayMs: 0, pieceBytes: Number.POSITIVE_INFINITY };

/** A TCP proxy that can cut and slow a line. The target may change its port between connections. */
export class Relay {
  readonly #sockets = new Set<Socket>();
  line: Line = { ...HEALTHY };

  private constructor(
    readonly name: string,
    private readonly server: Server,
    private readonly target: () => number,
  ) {}

  static async start(name: string, target: () => number): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(name, server, target);
    server.on('connection', (socket) => relay.#join(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error(`${this.name} does not listen`);
    return `http://127.0.0.1:${address.port}`;
  }

  /** From now on; a cut tears what is open. */
  set(line: Partial<Line>): void {
    this.line = { ...HEALTHY, ...line };
    if (this.line.cut) for (const socket of this.#sockets) socket.destroy();
  }

  heal(): void {
    this.line = { ...HEALTHY };
  }

  #join(near: Socket): void {
    if (this.line.cut) {
      near.destroy();
      return;
    }
    const far = connect(this.target(), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      void this.#pump(from, to);
    }
  }

  async #pump(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (let start = 0; start < chunk.length; start += this.line.pieceBytes) {
          if (this.line.delayMs > 0) await pause(this.line.delayMs);
          const piece = chunk.subarray(start, Math.min(chunk.length, start + this.line.pieceBytes));
          if (to.destroyed) return;
          if (!to.write(piece)) await new Promise<void>((resolve) => void to.once('drain', resolve).once('close', resolve));
        }
      }
      to.end();
    } catch {
      to.destroy();
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
  }
}
