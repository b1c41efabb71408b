import { expect, test } from 'vitest'
import { AccessTokens } from '../../src/enablers/access/index.ts'
import { testDatabase } from '../support/database.ts'
import { listening } from '../support/listening.ts'
import { quiet } from '../support/quiet-log.ts'

test('grants that nobody refreshed in time are removed, and those in force stay', async () => {
  await using tables = await testDatabase()
  const { database } = tables
  let now = Date.UTC(2030, 0, 1)
  const lifetimes = { tokenLifetime: 1_000, refreshLifetime: 10_000 }
  const tokens = new AccessTokens({ database, ...lifetimes, now: () => now, log: quiet })
  await listening(database, 'access-grants')
  const grant = { owner: 1, scopes: ['content'], credential: 'seal' } as const
  const inForce = async () => true
  const [old, kept] = [await tokens.issue(grant), await tokens.issue(grant)]
  now += 9_000
  expect(await tokens.find(old.access)).toBeUndefined()
  const renewed = await tokens.refresh(kept.refresh, inForce)
  if (renewed === undefined || renewed === 'beyond-grant') throw new Error('it was in force')
  now += 2_000
  expect(await tokens.refresh(old.refresh, inForce)).toBeUndefined()
  await tokens.sweep()
  expect(await database.knex('access_grants').select('owner')).toHaveLength(1)
  expect(await tokens.refresh(renewed.refresh, inForce)).toMatchObject({ scopes: ['content'] })
  await tokens.close()
})
