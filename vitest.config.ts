import { defineConfig } from 'vitest/config'

/** `protocols` needs nothing but the code; the rest share one real Postgres, each file with a database of its own. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'protocols', include: ['test/protocols/**/*.test.ts', 'test/sip/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'server',
          include: ['test/**/*.test.ts'],
          exclude: ['test/protocols/**', 'test/sip/**'],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
})
