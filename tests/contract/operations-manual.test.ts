import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../instance-server/platform/project-root.js';

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

describe('docs/operations.md', () => {
  const manual = read('docs/operations.md');

  it.each(['instance-server/config.ts', 'gateway/config.ts', 'gateway/subscriptions/config.ts'])('explains every setting of %s', (file) => {
    const settings = [...read(file).matchAll(/^ {2}([A-Z][A-Z_0-9]+):/gm)].map(([, name]) => name);
    expect(settings.length).toBeGreaterThan(10);
    expect(settings.filter((name) => !manual.includes(`\`${name}\``))).toEqual([]);
  });

  it.each(['instance-server/modules/replication/metrics.ts', 'instance-server/modules/claims/claim.metrics.ts'])('explains every metric of %s', (file) => {
    const metrics = [...read(file).matchAll(/name: '(lotse_[a-z_]+)'/g)].map(([, name]) => name);
    expect(metrics.length).toBeGreaterThan(1);
    expect(metrics.filter((name) => !manual.includes(`\`${name}`))).toEqual([]);
  });
});
