// A thread begins without the loader of the program: the sources run as they are, as in scripts/parley.mjs.
import { register } from 'tsx/esm/api'

register()
await import('./validator-worker.ts')
