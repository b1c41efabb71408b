import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readUserFile, type UserLine } from '../../src/operations/cli/user-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'parley-users-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function read(text: string): Promise<UserLine[]> {
  const file = join(folder, 'users.csv')
  writeFileSync(file, text)
  return await linesOf(file)
}

async function linesOf(file: string): Promise<UserLine[]> {
  const lines: UserLine[] = []
  for await (const line of readUserFile(file)) lines.push(line)
  return lines
}

test('columns go by the header, in any order; what is empty is not there', async () => {
  expect(
    await read('\ufeffuri,password,tel,name\r\ndave,p1,+15550004,"Dave, the first"\r\n\r\nerin,"p,2",,\r\n'),
  ).toEqual([
    { uri: 'dave', password: 'p1', tel: '+15550004', name: 'Dave, the first' },
    { uri: 'erin', password: 'p,2' },
  ])
  expect(await read('password,uri\np,dave\n')).toEqual([{ uri: 'dave', password: 'p' }])
})

test.each([
  ['uri,password\ndave\n', /users\.csv: .*line 2/],
  ['uri,password\ndave,\n', /users\.csv, line 2: uri and password are needed/],
  ['dave,p\n', /the first line of .* must be a header: uri,password,tel,name/],
  ['uri,password,phone\n', /must be a header/],
])('%j is refused with its line', async (text, message) => {
  await expect(read(text)).rejects.toThrow(message)
})

test('a file that is not there is one line', async () => {
  await expect(linesOf(join(folder, 'none.csv'))).rejects.toThrow(/cannot read .*none\.csv: ENOENT/)
})
