import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Migration } from '@mikro-orm/migrations';
import { projectRoot } from '../instance-server/platform/project-root.js';

type MigrationClass = new (...args: ConstructorParameters<typeof Migration>) => Migration;

const folder = join(projectRoot, 'migrations');

/** One file, one migration, one transaction. Histories only go forward: what a release did is mended by a newer file. */
function migrationOf(file: string): { name: string; class: MigrationClass } {
  const sql = readFileSync(join(folder, file), 'utf8');
  return {
    name: file.replace(/\.sql$/, ''),
    class: class extends Migration {
      override up(): void {
        this.addSql(sql);
      }
    },
  };
}

/** Every migration in order of its number. */
export const migrations = readdirSync(folder)
  .filter((file) => /^\d{4}_[a-z0-9_]+\.sql$/.test(file))
  .sort()
  .map(migrationOf);
