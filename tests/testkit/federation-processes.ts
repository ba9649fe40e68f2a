import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { type SpawnedNode, spawnNode } from '../../scripts/processes/spawn.js';

const READY_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 10_000;

export type Program = 'instance-server' | 'gateway';

/** A server of its own process from dist, whose output goes to a file, and which comes back on the same port. */
export class ServerProcess {
  #running: SpawnedNode | undefined;
  #port = 0;

  private constructor(
    readonly name: string,
    private readonly program: Program,
    private readonly env: Record<string, string>,
    readonly logFile: string,
  ) {}

  static async start(name: string, program: Program, env: Record<string, string>, logFile: string): Promise<ServerProcess> {
    const server = new ServerProcess(name, program, env, logFile);
    await server.start();
    return server;
  }

  /** On the port it had before, if it had one. */
  async start(): Promise<void> {
    const entry = join(projectRoot, 'dist', this.program, 'main.js');
    if (!existsSync(entry)) throw new Error('dist/ is not built; run `npm run build`');
    this.#running = await spawnNode(entry, {
      env: { ...this.env, PORT: String(this.#port) },
      name: this.name,
      onLine: (line) => appendFileSync(this.logFile, `${line}\n`),
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    this.#port = this.#running.ready.port;
  }

  /** While it runs. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** SIGTERM, and SIGKILL for one that does not end within its grace. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.kill('SIGCONT');
    await running?.stop(STOP_GRACE_MS);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.kill('SIGKILL');
    await running?.exited;
  }

  /** SIGSTOP: it keeps its connections and answers nothing. */
  freeze(): void {
    this.#running?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#running?.kill('SIGCONT');
  }
}
