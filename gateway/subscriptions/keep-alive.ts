import type { WebSocket } from 'ws';

/**
 * Pings an open socket and cuts it when the answer is not there by the next ping: a peer that vanished without
 * closing, or whose process no longer runs, is noticed within two intervals. Ends with the socket.
 */
export function keepAlive(socket: WebSocket, intervalMs: number): void {
  let answered = true;
  const timer = setInterval(() => {
    if (!answered) {
      socket.terminate();
      return;
    }
    if (socket.readyState !== socket.OPEN) return;
    answered = false;
    socket.ping();
  }, intervalMs);
  socket.on('pong', () => {
    answered = true;
  });
  socket.once('close', () => {
    clearInterval(timer);
  });
}
