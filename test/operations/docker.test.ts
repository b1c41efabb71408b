import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { configFrom, keys } from '../../src/config/config.ts'

const read = (name: string) => readFileSync(new URL(`../../docker/${name}`, import.meta.url), 'utf8')
const dockerfile = read('Dockerfile')
const compose: Compose = parse(read('compose.yaml'))

interface Compose {
  readonly services: {
    readonly parley: { readonly environment: Readonly<Record<string, string>>; readonly ports: readonly string[] }
    readonly postgres: { readonly image: string }
  }
}

/** What the Dockerfile says with ENV. */
const imageEnvironment = Object.fromEntries(
  [...dockerfile.matchAll(/\b(PARLEY_[A-Z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
)

/** A value of compose.yaml as with everything in the environment that it asks for. */
const filled = (value: string) =>
  value.replace(/\$\{\w+:-([^}]*)\}/g, '$1').replace(/\$\{\w+(:\?[^}]*)?\}/g, 'a-value-of-a-test.org')

test('what the image and compose set are keys of the configuration, with values that it takes', () => {
  const environment = { ...imageEnvironment, ...compose.services.parley.environment }
  const values = Object.entries(environment).map(([variable, value]) => {
    const key = keys.find((each) => each.variable === variable)
    expect(key, variable).toBeDefined()
    return [key?.name ?? '', filled(value)] as const
  })
  const config = configFrom(new Map(values))
  expect(config.demo).toBe(false)
  const sip = config.sip.listen.map(({ transport, port }) => `${port}:${port}/${transport}`)
  const msrp = config.msrp.listen.map(({ port }) => `${port}:${port}/tcp`)
  const { first, last } = config.media.rtpPorts
  const rtp = `${first}-${last}:${first}-${last}/udp`
  const http = `127.0.0.1:${config.http.listen.port}:${config.http.listen.port}/tcp`
  expect([...compose.services.parley.ports].sort()).toEqual([http, ...sip, ...msrp, rtp].sort())
  expect(dockerfile).toContain(`127.0.0.1:${config.http.listen.port}/health/ready`)
})

test('the server runs as somebody without rights, and as the process that gets the signals', () => {
  expect(dockerfile).toMatch(/^USER node$/m)
  expect(dockerfile).toMatch(/^ENTRYPOINT \["node",/m)
  expect(dockerfile).toMatch(/^HEALTHCHECK /m)
})

test('Postgres is one that the server takes', () => {
  expect(Number(compose.services.postgres.image.split(':')[1])).toBeGreaterThanOrEqual(15)
})

test('everything that the server reads at run time is in the image', () => {
  const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))
  expect(copied).toEqual(
    expect.arrayContaining(['src', 'migrations', 'interfaces', 'package.json', 'package-lock.json']),
  )
  const sent = read('Dockerfile.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
  expect(sent.map((line) => line.slice(1)).sort()).toEqual([...copied].sort())
})
