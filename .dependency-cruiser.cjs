/** The layers of the server: who may import whom. `test/layers.test.ts` shows that a planted violation turns red. */
const parts = 'signalling|controllers|media|enablers|interworking|charging|operations|client'

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'protocols-are-pure',
      comment: 'wire formats know nothing of ours, and no socket, clock or random',
      severity: 'error',
      from: { path: '^src/protocols/' },
      to: { pathNot: '^src/protocols/|^node_modules/|^(node:)?(buffer|crypto|zlib|util)$' },
    },
    {
      name: 'failure-imports-nothing',
      severity: 'error',
      from: { path: '^src/failure\\.ts$' },
      to: {},
    },
    {
      name: 'config-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^src/config/' },
      to: { path: '^src/', pathNot: '^src/(config/|failure\\.ts$)' },
    },
    {
      name: 'sip-imports-protocols',
      comment: 'the SIP stack has no CPM in it',
      severity: 'error',
      from: { path: '^src/sip/' },
      to: { path: '^src/', pathNot: '^src/(sip/|protocols/|failure\\.ts$)' },
    },
    {
      name: 'database-imports-failure',
      severity: 'error',
      from: { path: '^src/database/' },
      to: { path: '^src/', pathNot: '^src/(database/|failure\\.ts$)' },
    },
    {
      name: 'parts-do-not-import-each-other',
      comment: 'a part reaches another through the Needs it declares itself',
      severity: 'error',
      from: { path: `^src/(${parts})/` },
      to: { path: `^src/(${parts})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'functions-of-a-part-do-not-import-each-other',
      severity: 'error',
      from: { path: '^src/(signalling|controllers|enablers)/([^/]+)/' },
      to: { path: '^src/$1/[^/]+/', pathNot: '^src/$1/$2/|^src/signalling/edge/sip-port\\.ts$' },
    },
    {
      name: 'stack-is-for-edge-and-client',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(sip|signalling/edge|client)/|^src/app(\\.ts$|/)' },
      to: { path: '^src/sip/' },
    },
    {
      name: 'only-the-root-builds-the-edge',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(signalling/edge/|app\\.ts$|app/)' },
      to: { path: '^src/signalling/edge/', pathNot: '^src/signalling/edge/sip-port\\.ts$' },
    },
    {
      name: 'drachtio-is-for-its-edge',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/signalling/edge/drachtio/' },
      to: { path: 'node_modules/drachtio-srf/' },
    },
    {
      name: 'nothing-imports-the-root',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main\\.ts$|app\\.ts$|app/)' },
      to: { path: '^src/(app\\.ts$|app/|main\\.ts$)' },
    },
    {
      name: 'sources-do-not-import-tests',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { path: '^test/' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
}
