#!/usr/bin/env node
// The command `parley` of an installed package: the sources run as they are, from any working directory.
import { register } from 'tsx/esm/api'

register()
await import('../src/main.ts')
