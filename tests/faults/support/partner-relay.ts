import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../../scripts/demo/random.js';
import { type Line, HEALTHY } from './relay.js';

/** What may happen to a message between two houses, each with its probability, beside what the line does. */
export interface Mischief {
  /** It arrives and is answered; the answer does not. */
  loseAnswer: number;
  /** Only the first half arrives. */
  tear: number;
  /** Others pass it. */
  hold: number;
}

const HONEST: Mischief = { loseAnswer: 0, tear: 0, hold: 0 };
const HOLD_MS = 1_500;
const REMEMBERED = 50;

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: string[];
  readonly body: Buffer;
}

export interface RelayCounts {
  passed: number;
  answersLost: number;
  torn: number;
  held: number;
  replayed: number;
  /** Messages that were accepted a second time: there must be none. */
  replaysAccepted: string[];
}

/** Between one house and another, in one direction: passes whole HTTP messages, byte by byte as they were signed, or does not. */
export class PartnerRelay {
  line: Line = { ...HEALTHY };
  mischief: Mischief = { ...HONEST };
  readonly counts: RelayCounts = { passed: 0, answersLost: 0, torn: 0, held: 0, replayed: 0, replaysAccepted: [] };
  readonly #accepted: Recorded[] = [];
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(
    readonly name: string,
    private readonly server: Server,
    private readonly target: () => number,
    private readonly random: Random,
  ) {}

  static async start(name: string, target: () => number, random: Random): Promise<PartnerRelay> {
    const server = createServer();
    const relay = new PartnerRelay(name, server, target, random);
    server.on('request', (message, answer) => {
      relay.#pass(message, answer).catch(() => message.socket.destroy());
    });
    server.on('connection', (socket) => relay.line.cut && socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  set(line: Partial<Line>, mischief: Partial<Mischief> = {}): void {
    this.line = { ...HEALTHY, ...line };
    this.mischief = { ...HONEST, ...mischief };
    if (this.line.cut) this.server.closeAllConnections();
  }

  heal(): void {
    this.set({});
  }

  async #pass(message: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const recorded: Recorded = { method: message.method ?? 'POST', path: message.url ?? '/', headers: message.rawHeaders, body: Buffer.concat(chunks) };
    const { loseAnswer, tear, hold } = this.mischief;
    if (hold > 0 && this.random.chance(hold)) {
      this.counts.held += 1;
      await pause(HOLD_MS * this.random.next());
    }
    await this.#slow(recorded.body.length);
    if (this.line.cut) throw new Error('cut');
    if (tear > 0 && this.random.chance(tear)) {
      this.counts.torn += 1;
      await this.#forward(recorded, true).catch(() => undefined);
      throw new Error('torn');
    }
    const { status, headers, body } = await this.#forward(recorded);
    if (status === 200 && recorded.path.startsWith('/partner/')) {
      this.#accepted.push(recorded);
      if (this.#accepted.length > REMEMBERED) this.#accepted.shift();
    }
    await this.#slow(body.length);
    if (this.line.cut) throw new Error('cut');
    if (loseAnswer > 0 && this.random.chance(loseAnswer)) {
      this.counts.answersLost += 1;
      throw new Error('answer lost');
    }
    this.counts.passed += 1;
    answer.writeHead(status, headers).end(body);
  }

  #slow(bytes: number): Promise<unknown> {
    const pieces = Number.isFinite(this.line.pieceBytes) ? Math.ceil(bytes / this.line.pieceBytes) : 1;
    return this.line.delayMs > 0 ? pause(this.line.delayMs * pieces) : Promise.resolve();
  }

  #forward({ method, path, headers, body }: Recorded, half = false): Promise<{ status: number; headers: string[]; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.target(), method, path, headers, agent: this.#agent }, (received) => {
        const chunks: Buffer[] = [];
        received.on('data', (chunk: Buffer) => chunks.push(chunk));
        received.on('error', reject);
        received.on('aborted', () => reject(new Error('aborted')));
        received.on('end', () => resolve({ status: received.statusCode ?? 0, headers: received.rawHeaders, body: Buffer.concat(chunks) }));
      });
      sent.on('error', reject);
      if (!half) sent.end(body);
      else sent.write(body.subarray(0, body.length >> 1), () => sent.destroy());
    });
  }

  /** Sends a message that was accepted once more, as somebody on the way might. False when there is none, or nobody to hear it. */
  async replay(): Promise<boolean> {
    if (this.#accepted.length === 0 || this.line.cut) return false;
    const recorded = this.random.pick(this.#accepted);
    const answer = await this.#forward(recorded).catch(() => undefined);
    if (!answer) return false;
    this.counts.replayed += 1;
    if (answer.status === 200) this.counts.replaysAccepted.push(recorded.path);
    return true;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
  }
}
