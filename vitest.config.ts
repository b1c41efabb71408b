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

/** Messages, registration and sessions: these run once more over drachtio. */
const onBothStacks = [
  'bodies',
  'chat-session',
  'deferred-message',
  'dispatch',
  'flows',
  'identity',
  'notifications',
  'one-to-many',
  'other-domains',
  'pager-message',
  'registration',
  'restart',
  'transports',
]
  .map((name) => `test/scenarios/${name}.test.ts`)
  .concat('test/sip/dialog/invitation.test.ts')

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
      {
        extends: true,
        test: {
          name: 'drachtio',
          include: onBothStacks,
          env: { TEST_STACK: 'drachtio' },
          setupFiles: ['test/support/not-on-drachtio.ts'],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
})
