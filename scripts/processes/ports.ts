import { createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';

/** Binds `port` on the loopback interface for a moment; resolves to the port that was bound. */
function probe(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    // `exclusive` keeps a cluster worker from sharing the handle of its siblings, which would call a taken port free.
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('A TCP server has no port.'));
        else resolve(address.port);
      });
    });
  });
}

/**
 * A TCP port of 127.0.0.1 that nobody listens on now. Somebody else may take it before the caller binds it:
 * who can bind port 0 himself should do that, who cannot must be ready to try again.
 */
export function freePort(): Promise<number> {
  return probe(0);
}

/** `wanted` when nobody listens on it, else a free port. 0 and undefined mean "any". */
export async function portOrFree(wanted?: number): Promise<number> {
  if (wanted === undefined || wanted === 0) return freePort();
  try {
    return await probe(wanted);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EADDRINUSE' || code === 'EACCES') return freePort();
    throw error;
  }
}
