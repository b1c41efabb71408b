import { Failure } from '../../failure.ts'
import { type Arguments, readCount } from './arguments.ts'
import type { Client, ClientNeeds } from './client-needs.ts'
import { hintFor, withClient } from './open-client.ts'
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
      const { status, reason } = await client.register()
      needs.note(hintFor(status, server))
      if (status !== 200) throw new Failure('forbidden', `${aor} cannot register: ${status} ${reason}`)
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
  client.on('message', ({ from, text, messageId }) => {
    output.result({ from, text, messageId }, () => `${printable(from)}: ${printable(text)}`)
    received += 1
    if (received === count) end()
  })
  return { ended, end }

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
