import { createServer, request, type IncomingHttpHeaders, type Server, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of a call: it and its answer pass; it never arrives; it arrives and its answer does not. */
export type Fate = 'pass' | 'lose call' | 'lose answer';

/** A way to a server that calls and answers can be lost on. Calls that pass go on to wherever the server is now, if it is anywhere. */
export class LossyPath {
  /** Of every call, or of each by its path. */
  fate: Fate | ((path: string) => Fate) = 'pass';
  /** Paths of the calls that came, oldest first. */
  readonly seen: string[] = [];
  /** What was answered to those that passed, oldest first. */
  readonly answered: { path: string; status: number }[] = [];
  /** Every call that passed and its answer, as they went over the wire, oldest first. */
  readonly traffic: { path: string; headers: IncomingHttpHeaders; body: string; status: number; answer: string }[] = [];
  readonly #server: Server;

  private constructor(private readonly target: () => string | undefined) {
    this.#server = createServer((incoming, outgoing) => void this.#pass(incoming, outgoing));
  }

  static async open(target: () => string | undefined): Promise<LossyPath> {
    const path = new LossyPath(target);
    await new Promise<void>((resolve) => path.#server.listen(0, '127.0.0.1', resolve));
    return path;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    this.seen.push(incoming.url ?? '');
    const fate = typeof this.fate === 'function' ? this.fate(incoming.url ?? '') : this.fate;
    const target = this.target();
    if (fate === 'lose call' || !target) {
      incoming.socket.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { host: _host, ...headers } = incoming.headers;
    const onwards = request(new URL(incoming.url ?? '/', target), { method: incoming.method, headers }, (answer) => {
      this.answered.push({ path: incoming.url ?? '', status: answer.statusCode ?? 0 });
      if (fate === 'lose answer') {
        answer.resume().on('end', () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      const answered: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => answered.push(chunk));
      answer.on('end', () => {
        this.traffic.push({ path: incoming.url ?? '', headers, body: body.toString(), status: answer.statusCode ?? 0, answer: Buffer.concat(answered).toString() });
      });
    });
    onwards.on('error', () => incoming.socket.destroy());
    onwards.end(body);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}
