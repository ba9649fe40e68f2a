import type { RequestContext } from '../context.js';
import { homeErrors, instanceUnavailable, type UpstreamError } from '../errors.js';
import { clientPath } from '../stitching/instrument.js';
import { isRecord } from '../stitching/partner-answer.js';
import type { Directory } from '../types.js';
import { UpstreamFailure, type Upstream } from './upstream.js';

/** A home instance's answer. `failed` when it gave none: the only error is then INSTANCE_UNAVAILABLE. */
export interface HomeAnswer {
  readonly data: Record<string, unknown> | null;
  readonly errors: readonly UpstreamError[];
  readonly failed: boolean;
}

/**
 * Responsible for: questions to the viewer's home, the only instance that is shown his access token.
 */
export class Home {
  constructor(
    private readonly upstream: Upstream,
    private readonly directory: Directory,
  ) {}

  /** Never rejects. Errors carry the client's paths. */
  async ask(context: RequestContext, body: string): Promise<HomeAnswer> {
    const code = context.route?.home;
    if (code === undefined) throw new TypeError('An operation without a home was sent to one.');
    const instance = this.directory.get(code);
    // It may have left the registry since the operation was routed.
    if (instance === undefined) return unavailable(code, new UpstreamFailure('NOT_REGISTERED', false));
    try {
      const { requestId, clientAddress, route } = context;
      const answer = await this.upstream.send(instance, body, { token: route?.token, clientAddress, requestId });
      return {
        data: isRecord(answer.data) ? answer.data : null,
        errors: answer.errors === undefined ? [] : homeErrors(answer.errors).map(withClientPath),
        failed: false,
      };
    } catch (error) {
      if (error instanceof UpstreamFailure) return unavailable(code, error);
      throw error;
    }
  }
}

function unavailable(code: string, failure: UpstreamFailure): HomeAnswer {
  const { message, extensions } = instanceUnavailable(code, failure.reason);
  return { data: null, errors: [{ message, path: undefined, extensions }], failed: true };
}

function withClientPath(error: UpstreamError): UpstreamError {
  return error.path === undefined ? error : { ...error, path: clientPath(error.path) };
}
