import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import nodemailer from 'nodemailer';
import { newId } from './crypto.js';

export interface Mail {
  to: string;
  subject: string;
  text: string;
}

/** Sends mail over SMTP, or leaves it as .eml files in a folder where no server is configured. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
}

export function createMailer(options: { smtpUrl?: string; directory?: string; from: string }): Mailer | undefined {
  const { smtpUrl, directory, from } = options;
  if (smtpUrl) {
    const transport = nodemailer.createTransport(smtpUrl);
    return { send: async (mail) => void (await transport.sendMail({ from, ...mail })) };
  }
  if (directory) {
    const transport = nodemailer.createTransport({ streamTransport: true, buffer: true });
    return {
      async send(mail) {
        const { message } = await transport.sendMail({ from, ...mail });
        await mkdir(directory, { recursive: true });
        await writeFile(join(directory, `${newId()}.eml`), message as Buffer, { mode: 0o600 });
      },
    };
  }
  return undefined;
}
