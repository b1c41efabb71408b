import { defineConfig } from 'vitest/config'

/** What runs without a database. */
const alone = [
  'test/protocols/**/*.test.ts',
  'test/sip/**/*.test.ts',
  'test/media/**/*.test.ts',
  'test/config/**/*.test.ts',
  'test/cli/**/*.test.ts',
  'test/*.test.ts',
]

/** `protocols` needs nothing but the code; the rest share one real Postgres, each file with a database of its own. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'protocols', include: alone } },
      {
        extends: true,
        test: {
          name: 'server',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
})
