import type { WebSocket } from 'ws';

/** Resolves with the `close` event, which follows every error too (`events.once` would reject on that error). */
export function socketClosed(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}
