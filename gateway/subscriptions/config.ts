import { z } from 'zod';

const whole = (fallback: number, min = 1, max = 2_147_483_647) =>
  z
    .string()
    .regex(/^\d+$/u, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(fallback);

/** The settings of the gateway's WebSockets with their defaults, to be merged into the gateway's environment. */
export const subscriptionsEnvironment = z.object({
  /** Most client sockets of one gateway process. One more is closed with 1013. */
  WS_MAX_SOCKETS: whole(20_000),
  /** Most client sockets of one account at one gateway process. One more is closed with 1013. */
  WS_MAX_SOCKETS_PER_ACCOUNT: whole(20),
  /** Most subscriptions of one client socket. One more is answered with `OPERATION_LIMIT_EXCEEDED`. */
  WS_MAX_OPERATIONS: whole(50),
  /** Most messages a client may send within one minute, pings included. One more closes the socket with 1013. */
  WS_MAX_MESSAGES_PER_MINUTE: whole(600),
  /** Largest message of a client. A larger one closes the socket with 1009. */
  WS_MAX_PAYLOAD_BYTES: whole(100 * 1024, 256),
  /** Bytes that may wait for a slow client before it is closed with 1013. */
  WS_MAX_BUFFERED_BYTES: whole(1024 * 1024, 1_024),
  /** Time a client has to send `connection_init`. */
  WS_INIT_TIMEOUT_MS: whole(5_000, 10),
  /** Time between two pings, to clients and to instances. Who has not answered by the next one is cut off. */
  WS_KEEP_ALIVE_MS: whole(15_000, 10),
  /** Time the other side has to answer a closing handshake before its connection is cut. */
  WS_CLOSE_TIMEOUT_MS: whole(2_000, 10),
  /** Largest message of an instance. A larger one cuts the shared socket, which is then opened again. */
  WS_UPSTREAM_MAX_PAYLOAD_BYTES: whole(1024 * 1024, 1_024),
  /** Bytes that may wait for a slow instance before new subscriptions to it are refused with 1013. */
  WS_UPSTREAM_MAX_BUFFERED_BYTES: whole(8 * 1024 * 1024, 1_024),
  /** Time an instance has for the handshake, and again for `connection_ack`. */
  WS_UPSTREAM_CONNECT_TIMEOUT_MS: whole(5_000, 10),
  /** How long clients are held while their home instance cannot be reached; then they are closed with 1013. */
  WS_UPSTREAM_OUTAGE_MS: whole(15_000, 10),
  /** Longest wait between two attempts to reach an instance again. The first one is near a twentieth of it. */
  WS_UPSTREAM_RETRY_MAX_MS: whole(5_000, 50),
});

export interface SubscriptionsConfig {
  readonly maxSockets: number;
  readonly maxSocketsPerAccount: number;
  readonly perSocket: number;
  readonly maxMessagesPerMinute: number;
  readonly maxPayloadBytes: number;
  readonly bufferBytes: number;
  readonly initTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly closeTimeoutMs: number;
  readonly upstreamMaxPayloadBytes: number;
  readonly upstreamBufferBytes: number;
  readonly upstreamConnectTimeoutMs: number;
  readonly upstreamOutageMs: number;
  readonly upstreamRetryMaxMs: number;
}

export function subscriptionsConfig(settings: z.output<typeof subscriptionsEnvironment>): SubscriptionsConfig {
  return {
    maxSockets: settings.WS_MAX_SOCKETS,
    maxSocketsPerAccount: settings.WS_MAX_SOCKETS_PER_ACCOUNT,
    perSocket: settings.WS_MAX_OPERATIONS,
    maxMessagesPerMinute: settings.WS_MAX_MESSAGES_PER_MINUTE,
    maxPayloadBytes: settings.WS_MAX_PAYLOAD_BYTES,
    bufferBytes: settings.WS_MAX_BUFFERED_BYTES,
    initTimeoutMs: settings.WS_INIT_TIMEOUT_MS,
    keepAliveMs: settings.WS_KEEP_ALIVE_MS,
    closeTimeoutMs: settings.WS_CLOSE_TIMEOUT_MS,
    upstreamMaxPayloadBytes: settings.WS_UPSTREAM_MAX_PAYLOAD_BYTES,
    upstreamBufferBytes: settings.WS_UPSTREAM_MAX_BUFFERED_BYTES,
    upstreamConnectTimeoutMs: settings.WS_UPSTREAM_CONNECT_TIMEOUT_MS,
    upstreamOutageMs: settings.WS_UPSTREAM_OUTAGE_MS,
    upstreamRetryMaxMs: settings.WS_UPSTREAM_RETRY_MAX_MS,
  };
}

/** What holds where the gateway's configuration says nothing. */
export const defaultSubscriptionsConfig: SubscriptionsConfig = subscriptionsConfig(subscriptionsEnvironment.parse({}));
