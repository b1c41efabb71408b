import { type Arguments, readCount } from './arguments.ts'
import type { Client, ClientNeeds, ReceivedMessage } from './client-needs.ts'
import { register, withClient } from './open-client.ts'
import { printable } from './output.ts'

interface Needs extends ClientNeeds {
  readonly stopped: AbortSignal
}

/** `parley listen USER`: a line for each message, until a signal, `--count` messages or `--seconds`. */
export async function listen(needs: Needs, { operands, options }: Arguments): Promise<number> {
  const [user = ''] = operands
  const [count, seconds] = [readCount(options, 'count'), readCount(options, 'seconds')]
  return await withClient(needs, user, options, async (client, aor, server) => {
    const printing = printMessages(needs, client, { count, seconds })
    try {
      await register(needs, client, aor, server)
      needs.note(`${aor} is registered; messages are shown here until Ctrl-C`)
      await printing.ended
      return 0
    } finally {
      printing.end()
    }
  })
}

interface Until {
  readonly count: number | undefined
  readonly seconds: number | undefined
}

/** Prints from now on; `ended` resolves when it is enough. */
function printMessages({ output, stopped }: Needs, client: Client, { count, seconds }: Until) {
  const { promise: ended, resolve } = promiseAndResolve()
  const timer = seconds === undefined ? undefined : setTimeout(end, seconds * 1000)
  let received = 0
  stopped.addEventListener('abort', end)
  if (stopped.aborted) end()
  client.on('message', print)
  client.on('invitation', ({ accept }) => {
    accept({ onMessage: print, onNotification() {}, onComposing() {}, onEnded() {} }).catch(() => {}) // the caller knows
  })
  return { ended, end }

  function print({ from, text, messageId }: ReceivedMessage): void {
    output.result({ from, text, messageId }, () => `${printable(from)}: ${printable(text)}`)
    received += 1
    if (received === count) end()
  }

  function end(): void {
    clearTimeout(timer)
    stopped.removeEventListener('abort', end)
    resolve()
  }
}

function promiseAndResolve() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
