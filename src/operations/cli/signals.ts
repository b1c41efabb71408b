/** npm passes a Ctrl-C on that the terminal has sent to the whole group: the same signal again within this is the same one. */
const echoMs = 1000

/** Resolves at the first SIGINT or SIGTERM. A later one ends the process at once, as if nobody had listened. */
export function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first: number | undefined
    const onSignal = (signal: NodeJS.Signals) => {
      if (first === undefined) {
        first = Date.now()
        resolve(signal)
      } else if (Date.now() - first > echoMs) process.exit(signal === 'SIGINT' ? 130 : 143)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}
