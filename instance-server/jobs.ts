import { ExponentialBackoff, handleAll, retry } from 'cockatiel';
import { Logger as WorkerLogger, run, type RunnerOptions, type TaskList } from 'graphile-worker';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Instance } from './composition.js';
import type { InstanceConfig } from './config.js';
import { removeOldKeys } from './modules/links/index.js';
import { requestMails } from './modules/staffing/index.js';
import { newToken, sha256Hex } from './platform/crypto.js';
import type { JobPayloads } from './platform/jobs.js';
import { createMailer, type Mail, type Mailer } from './platform/mail.js';

/**
 * Expired records are removed at ten past every hour; each statement is harmless when it runs twice. Every minute somebody looks
 * whether anything waits for partners, or one has not heard of a link's suspension or end or a new key: the queue wakes, and carries nothing.
 * Claims are looked after every five minutes, and compared with their holders' twice an hour.
 */
const CRONTAB = '10 * * * * clean-up\n* * * * * sweep\n* * * * * tell-partners\n*/5 * * * * claims-sweep\n7,37 * * * * claims-compare';

/** Mail servers quote addresses in their refusals, and the queue keeps a job's last error. */
async function send(mailer: Mailer, mail: Mail): Promise<void> {
  await mailer.send(mail).catch(() => {
    throw new Error('the mail server did not take the mail');
  });
}

/** Background work of this process: any number of replicas share it through the database. */
export async function startJobs(instance: Instance, config: InstanceConfig, logger: Logger): Promise<{ stop(): Promise<void> }> {
  const { database, clock, settings, replication, claims } = instance;
  const mailer = createMailer({ smtpUrl: config.SMTP_URL, directory: config.MAIL_DIRECTORY, from: config.MAIL_FROM });

  const tasks: TaskList = {
    async 'send-invitation'(payload) {
      const { invitationId } = payload as JobPayloads['send-invitation'];
      if (!mailer) throw new Error('no mail server is configured (SMTP_URL or MAIL_DIRECTORY)');
      const invitation = await database.worker.sql
        .selectFrom('invitation')
        .innerJoin('account', 'account.id', 'invitation.account_id')
        .select(['account.email', 'account.display_name', 'invitation.purpose'])
        .where('invitation.id', '=', invitationId)
        .where('invitation.used_at', 'is', null)
        .where('invitation.expires_at', '>', clock.now())
        .executeTakeFirst();
      if (!invitation) return;
      // Made here, so that nobody who invites ever holds it; a repeated run makes another and the earlier one is void.
      const secret = newToken();
      await database.worker.sql
        .updateTable('invitation')
        .set({ token_hash: sha256Hex(secret) })
        .where('id', '=', invitationId)
        .execute();
      const { code, name, url } = settings.current;
      const link = `${url}/${invitation.purpose === 'RESET' ? 'reset-password' : 'invitation'}#${code}.${secret}`;
      const text =
        invitation.purpose === 'RESET'
          ? `Somebody, we hope you, asked to set a new password for your account at ${name}. Do so at\n\n${link}\n\nThe link is valid for one hour and for you alone. If it was not you, nothing has changed.`
          : `${name} invites you to Lotse. Set your password at\n\n${link}\n\nThe link is valid for 14 days and for you alone.`;
      const mail = {
        to: invitation.email,
        subject: invitation.purpose === 'RESET' ? `${name}: a new password` : `${name}: your invitation`,
        text: `Dear ${invitation.display_name},\n\n${text}\n`,
      };
      await send(mailer, mail);
    },
    async 'send-guide-request'(payload) {
      const { requestId } = payload as JobPayloads['send-guide-request'];
      // He sees it where he signs in, too; a house without a mail server does without.
      if (!mailer) return;
      for (const mail of await requestMails(database.app.sql, requestId, settings.current, clock.now())) await send(mailer, mail);
    },
    sweep: () => replication.drains.sweep(),
    async 'tell-partners'() {
      await instance.linkNotices.tellDue();
      await instance.linkNotices.tellSuspensions();
      await instance.linkKeys.handOverAll();
    },
    async 'claims-sweep'() {
      await claims.upkeep.sweep();
    },
    async 'claims-compare'() {
      await claims.upkeep.compareAll();
    },
    async 'clean-up'() {
      const now = clock.now();
      const retention = new Date(now.getTime() - config.IDEMPOTENCY_RETENTION_HOURS * 3_600_000);
      await database.worker.sql.deleteFrom('idempotency_key').where('created_at', '<', retention).execute();
      // An origin sends what its records are now, never what they were: a late delivery of what is removed here says again that it ended.
      const kept = new Date(now.getTime() - config.TOMBSTONE_RETENTION_DAYS * 86_400_000);
      await database.worker.sql.deleteFrom('foreign_booking').where('ended', '=', true).where('ended_at', '<', kept).execute();
      await instance.couplingStates.forget(database.worker.sql, retention);
      await database.worker.sql.deleteFrom('used_token').where('expires_at', '<', now).execute();
      await removeOldKeys(database.worker.sql, now);
      await database.worker.sql.deleteFrom('session').where('expires_at', '<', now).execute();
      await database.worker.sql.deleteFrom('invitation').where('expires_at', '<', now).execute();
      await database.worker.sql.deleteFrom('login_attempt').where('expire', '<', now.getTime()).execute();
    },
  };

  // A pool of our own: graphile-worker stops listening to errors of its pool before that has ended, and a connection lost in between
  // (a database that stops at the same time) would end the process by an uncaught error.
  const pool = new pg.Pool({ connectionString: database.workerUrl, max: 5, application_name: 'lotse-jobs' });
  pool.on('error', () => undefined);
  // A connection that breaks while it is lent out tells its borrower, whose query fails; without a listener it would end the process.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  const options: RunnerOptions = {
    pgPool: pool,
    taskList: tasks,
    crontab: CRONTAB,
    concurrency: 4,
    noHandleSignals: true,
    noPreparedStatements: false,
    // Without a delay, which may be none, nobody waits for a job to be written off: where that failed, the process would end.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    // Messages of failed jobs can quote payloads and drivers; only their levels pass.
    logger: new WorkerLogger(() => (level) => {
      if (level === 'error' || level === 'warning') logger.warn({ component: 'jobs' }, 'a background job had a problem');
    }),
  };
  const over = new AbortController();
  let runner = await run(options);
  // A runner ends for good when it could not write off a job, since the database was away.
  const persistently = retry(handleAll, { maxAttempts: Number.MAX_SAFE_INTEGER, backoff: new ExponentialBackoff({ initialDelay: 200, maxDelay: 10_000 }) });
  persistently
    .dangerouslyUnref()
    .execute(async ({ attempt, signal }) => {
      if (attempt > 0 && !signal.aborted) runner = await run(options);
      // Asked to while it was being started.
      if (signal.aborted) await runner.stop();
      await runner.promise;
      if (signal.aborted) return;
      logger.warn({ component: 'jobs' }, 'background jobs had stopped; they are started again');
      throw new Error('the runner has ended');
    }, over.signal)
    .catch(() => undefined);

  return {
    async stop() {
      over.abort();
      // It may have ended by itself; one that is being started meets a pool that has ended.
      await runner.stop().catch(() => undefined);
      await pool.end();
    },
  };
}
