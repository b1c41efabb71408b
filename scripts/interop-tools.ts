// The programs that others wrote and that the interoperability suites speak with: the one list of them.
import { spawnSync } from 'node:child_process'
import { isInstalled } from '../test/interop/is-installed.ts'

export interface InteropTool {
  readonly tool: string
  /** The Debian package that has it. */
  readonly debian: string
  /** The test files that need it. */
  readonly suites: readonly string[]
}

export const interopTools: readonly InteropTool[] = [
  {
    tool: 'sipp',
    debian: 'sip-tester',
    suites: [
      'test/interop/sipp.test.ts',
      'test/interop/sipp-sessions.test.ts',
      'test/interop/sipp-presence.test.ts',
      'test/interop/crash.test.ts',
    ],
  },
  {
    tool: 'linphonec',
    debian: 'linphone-cli',
    suites: ['test/interop/linphone.test.ts', 'test/interop/linphone-presence.test.ts', 'test/interop/audio.test.ts'],
  },
  { tool: 'baresip', debian: 'baresip-core', suites: ['test/interop/audio.test.ts'] },
  {
    tool: 'rtpengine',
    debian: 'rtpengine-daemon',
    suites: [
      'test/media/rtpengine/rtpengine.test.ts',
      'test/scenarios/rtpengine.test.ts',
      'test/scenarios/recording-rtpengine.test.ts',
      'test/interop/audio.test.ts',
    ],
  },
]

export const missingTools = (): InteropTool[] => interopTools.filter(({ tool }) => !isInstalled(tool))

/** Installs what is missing, where that is possible without asking anybody: as root on Debian. */
export function installInteropTools(): void {
  const packages = missingTools().map(({ debian }) => debian)
  if (packages.length === 0 || process.getuid?.() !== 0 || !isInstalled('apt-get')) return
  process.stderr.write(`installing ${packages.join(', ')} for the interoperability suites …\n`)
  const run = (...args: string[]) =>
    spawnSync('apt-get', ['-qq', ...args], {
      stdio: ['ignore', 'ignore', 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: 600_000,
    }).status === 0
  // The lists may be there already; where they are old or none, they are fetched.
  if (!run('install', '-y', '--no-install-recommends', ...packages)) {
    run('update')
    run('install', '-y', '--no-install-recommends', ...packages)
  }
}
