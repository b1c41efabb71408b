import { settingsTree, showConfig, writeKeyTable } from '../../config/show-config.ts'
import type { Output } from './output.ts'

/** By the time a command runs, the configuration has been read and checked. */
export function checkConfig({ demo, output }: { readonly demo: boolean; readonly output: Output }): void {
  output.result({ valid: true, demo }, () => `the configuration is valid${demo ? ' (no domain: demo mode)' : ''}`)
}

interface Written {
  readonly written: ReadonlyMap<string, string>
  readonly output: Output
}

export function showWholeConfig({ written, output }: Written): void {
  output.result(settingsTree(written), () => showConfig(written).trimEnd())
}

export function showKeys({ output }: { readonly output: Output }): void {
  output.line(writeKeyTable().trimEnd())
}
