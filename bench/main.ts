/** `npm run bench -- <name>`: runs one benchmark; its last line is `{"bench": name, "ratios": {…}}`, ours divided by theirs. */
const benchmarks: Record<string, () => Promise<{ run(): Promise<Record<string, number>> }>> = {
  'guide-query': () => import('./guide-query/index.js'),
  sync: () => import('./sync/index.js'),
};

const name = process.argv[2] ?? '';
const load = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
if (!load) {
  console.error(`Name a benchmark: ${Object.keys(benchmarks).join(', ')}.`);
  process.exit(2);
}
const ratios = await (await load()).run();
console.log(JSON.stringify({ bench: name, ratios }));
process.exit(0);
