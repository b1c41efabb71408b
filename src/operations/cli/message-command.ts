import { checkedUri, fullAddress } from './address.ts'
import type { Arguments } from './arguments.ts'
import type { Answer, Client, ClientNeeds } from './client-needs.ts'
import { hintFor, withClient } from './open-client.ts'

/** How long `--wait` waits for a notification. */
const waitMs = 30_000

/** `parley message FROM TO TEXT`. Exit status 0 when the server took it; with `--wait`, when the recipient has it. */
export async function sendMessage(needs: ClientNeeds, { operands, options }: Arguments): Promise<number> {
  const [from = '', to = '', text = ''] = operands
  const recipient = checkedUri(fullAddress(to, needs.domain))
  return await withClient(needs, from, options, async (client, _, server) => {
    const notified = options.wait === undefined ? undefined : await listenForNotifications(client)
    const { status, reason, messageId } = await client.message(recipient, text)
    needs.output.result({ status, reason, messageId }, () => outcome({ status, reason }, to))
    needs.note(hintFor(status, server))
    if (status < 200 || status > 299) return 1
    if (!notified) return 0
    const disposition = await notified(messageId)
    needs.output.result({ messageId, notification: disposition ?? null }, () => disposition ?? 'no notification came')
    return disposition === 'delivered' || disposition === 'displayed' ? 0 : 1
  })
}

function outcome({ status, reason }: Answer, to: string): string {
  if (status === 200) return `200 ${reason}, delivered`
  return status === 202 ? `202 ${reason}, kept until ${to} returns` : `${status} ${reason}`
}

type Notified = (messageId: string) => Promise<string | undefined>

/** Notifications come to a registered device, maybe before the answer to the message does. */
async function listenForNotifications(client: Client): Promise<Notified> {
  const seen = new Map<string, string>()
  let wake = () => {}
  client.on('notification', ({ messageId, status }) => {
    seen.set(messageId, status)
    wake()
  })
  await client.register()
  return (messageId) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), waitMs)
      wake = () => {
        if (!seen.has(messageId)) return
        clearTimeout(timer)
        resolve(seen.get(messageId))
      }
      wake()
    })
}
