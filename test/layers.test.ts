import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'parley-layers-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A file of each layer, with what it may import. */
const sound: Record<string, readonly string[]> = {
  'src/failure.ts': [],
  'src/protocols/sip/headers.ts': ['node:buffer'],
  'src/protocols/sip/ring-b.ts': ['src/protocols/sip/ring-a.ts'],
  'src/protocols/sip/ring-a.ts': [],
  'src/sip/stack.ts': ['src/protocols/sip/headers.ts', 'src/failure.ts'],
  'src/config/config.ts': ['src/failure.ts'],
  'src/database/database.ts': ['src/failure.ts'],
  'src/signalling/edge/sip-port.ts': ['src/protocols/sip/headers.ts'],
  'src/signalling/edge/embedded/edge.ts': ['src/sip/stack.ts', 'src/signalling/edge/sip-port.ts'],
  'src/signalling/registrar/bindings.ts': ['src/database/database.ts', 'src/signalling/edge/sip-port.ts'],
  'src/controllers/message/message-controller.ts': ['src/failure.ts'],
  'src/controllers/session/session-controller.ts': ['src/protocols/sip/headers.ts'],
  'src/client/client.ts': ['src/sip/stack.ts'],
  'src/operations/health.ts': ['src/config/config.ts', 'src/database/database.ts'],
  'src/app.ts': ['src/signalling/edge/embedded/edge.ts', 'src/controllers/message/message-controller.ts'],
  'src/main.ts': ['src/app.ts'],
  'test/support/phone.ts': ['src/client/client.ts'],
}

/** For each rule an import that breaks it. */
const violations: readonly (readonly [rule: string, from: string, to: string])[] = [
  ['no-circular', 'src/protocols/sip/ring-a.ts', 'src/protocols/sip/ring-b.ts'],
  ['protocols-are-pure', 'src/protocols/sip/pure-failure.ts', 'src/failure.ts'],
  ['protocols-are-pure', 'src/protocols/sip/pure-socket.ts', 'node:net'],
  ['failure-imports-nothing', 'src/failure.ts', 'node:util'],
  ['config-imports-nothing-of-ours', 'src/config/key.ts', 'src/operations/health.ts'],
  ['sip-imports-protocols', 'src/sip/config.ts', 'src/config/config.ts'],
  ['database-imports-failure', 'src/database/sip.ts', 'src/protocols/sip/headers.ts'],
  ['parts-do-not-import-each-other', 'src/controllers/message/wrong-part.ts', 'src/signalling/registrar/bindings.ts'],
  [
    'functions-of-a-part-do-not-import-each-other',
    'src/controllers/message/wrong.ts',
    'src/controllers/session/session-controller.ts',
  ],
  ['stack-is-for-edge-and-client', 'src/signalling/registrar/stack.ts', 'src/sip/stack.ts'],
  ['only-the-root-builds-the-edge', 'src/main-edge.ts', 'src/signalling/edge/embedded/edge.ts'],
  ['drachtio-is-for-its-edge', 'src/operations/srf.ts', 'node_modules/drachtio-srf/lib/srf.js'],
  ['nothing-imports-the-root', 'src/operations/root.ts', 'src/app.ts'],
  ['sources-do-not-import-tests', 'src/operations/test.ts', 'test/support/phone.ts'],
  ['no-unresolvable', 'src/operations/nowhere.ts', 'src/operations/not-there.ts'],
]

const rules: readonly string[] = createRequire(import.meta.url)('../.dependency-cruiser.cjs').forbidden.map(
  ({ name }: { name: string }) => name,
)

/** The rules as they are for the server, on a tree of its own. */
function cruise(name: string, tree: Record<string, readonly string[]>): string[] {
  const place = join(folder, name)
  for (const [file, imports] of Object.entries(tree)) {
    mkdirSync(join(place, dirname(file)), { recursive: true })
    writeFileSync(join(place, file), imports.map((to) => `import ${JSON.stringify(specifier(file, to))}\n`).join(''))
  }
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json']) copyFileSync(join(root, file), join(place, file))
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'))
  const bin = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const args = [bin, '--config', '.dependency-cruiser.cjs', 'src', 'test']
  const { stdout, status } = spawnSync(process.execPath, args, { cwd: place, encoding: 'utf8' })
  const lines = stdout.replace(/\x1b\[\d+m/g, '').matchAll(/^\s*error ([\w-]+): (\S+)/gm)
  const found = [...lines].map(([, rule, from]) => `${rule} ${from}`)
  expect(status === 0, stdout).toBe(found.length === 0)
  return found
}

const specifier = (file: string, to: string) =>
  to.startsWith('node:') ? to : `${'../'.repeat(file.split('/').length - 1)}${to}`

test('a tree that keeps to its layers is green', () => {
  expect(cruise('sound', sound)).toEqual([])
})

test('every rule of the layers turns red on an import that breaks it', () => {
  const tree: Record<string, readonly string[]> = { ...sound }
  for (const [, from, to] of violations) tree[from] = [...(tree[from] ?? []), to]
  const found = cruise('broken', tree)
  expect(found).toEqual(expect.arrayContaining(violations.map(([rule, from]) => `${rule} ${from}`)))
  expect(rules.filter((rule) => !violations.some(([name]) => name === rule))).toEqual([])
})
