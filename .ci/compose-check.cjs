// What can be said of docker-compose.yml and the Dockerfile without Docker: that they parse, that every entry point they start
// exists, that every variable is in .env.example and every setting is one that the programs read.
const { existsSync, readFileSync } = require('node:fs');
const { parse } = require('yaml');

const problems = [];
const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
const example = new Set(
  readFileSync('.env.example', 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => line.split('=')[0]),
);
const sources = ['instance-server/config.ts', 'gateway/config.ts', 'gateway/subscriptions/config.ts', 'scripts/setup/main.ts']
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

for (const [name, service] of Object.entries(compose.services)) {
  const entry = (service.command ?? []).find((word) => String(word).startsWith('dist/'));
  if (name !== 'postgres' && !entry) problems.push(`${name}: starts nothing of ours`);
  if (entry && !existsSync(entry.replace(/^dist\//, '').replace(/\.js$/, '.ts'))) problems.push(`${name}: ${entry} has no source`);
  for (const [setting, value] of Object.entries(service.environment ?? {})) {
    if (name !== 'postgres' && !new RegExp(`\\b${setting}\\b`).test(sources)) problems.push(`${name}: nobody reads ${setting}`);
    for (const [, variable] of String(value).matchAll(/\$\{([A-Z_]+)/g)) {
      if (!example.has(variable)) problems.push(`${name}: ${variable} is not in .env.example`);
    }
    if (setting === 'REGISTRY') JSON.parse(value);
  }
  for (const needed of Object.keys(service.depends_on ?? {})) {
    if (!compose.services[needed]) problems.push(`${name}: depends on ${needed}, which is no service`);
  }
}
const dockerfile = readFileSync('Dockerfile', 'utf8');
for (const [, source] of dockerfile.matchAll(/COPY --from=build \/app\/([a-z_.-]+)/g)) {
  if (!existsSync(source) && source !== 'dist') problems.push(`Dockerfile: ${source} is not there`);
}
const command = /CMD \["node", "dist\/([^"]+)\.js"\]/.exec(dockerfile)?.[1];
if (!command || !existsSync(`${command}.ts`)) problems.push('Dockerfile: its command has no source');

console.log(problems.length > 0 ? problems.join('\n') : 'docker-compose.yml and Dockerfile are consistent (Docker itself is not here to run them).');
process.exit(problems.length > 0 ? 1 : 0);
